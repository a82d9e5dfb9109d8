#include "push/follower.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "loop/timer.h"
#include "push/metrics.h"
#include "store/mailbox.h"
#include "store/page.h"
#include "store/resource_json.h"

typedef enum { IDLE, READING, WAITING } state_t;

struct pl_follower {
    pl_waiter_t waiter;
    const pl_follower_settings_t *settings;
    const pl_follower_callbacks_t *callbacks;
    void *owner;
    int64_t cursor;
    int64_t seen; /* the highest version that it was told of */
    pl_timer_t heartbeat;
    struct request *request; /* the read in flight, which outlives the follower if it must */
    int32_t page_size;
    state_t state;
    bool must_read; /* the mailbox may hold more than it was given: at the start, after a full page
                       or a failure */
    bool is_confirmed; /* the cursor was read from the mailbox, or compared with it */
};

/* One read for a follower. Allocated only while in flight, so that an idle follower stays small. */
typedef struct request {
    pl_follower_t *follower; /* NULL: destroyed meanwhile */
    int64_t seen;            /* the follower's, when it was sent */
    bool is_version;
    union {
        pl_page_read_t page;
        pl_version_read_t version;
    };
} request_t;

static void read_page(pl_follower_t *follower);

static bool is_behind(const pl_follower_t *follower)
{
    return follower->must_read || follower->seen > follower->cursor;
}

/* After a read that found nothing beyond the cursor. */
static void settle(pl_follower_t *follower)
{
    follower->must_read = false;
    follower->is_confirmed = true;
    if (is_behind(follower)) {
        read_page(follower);
        return;
    }
    follower->state = WAITING;
    follower->callbacks->on_waiting(follower->owner, follower->cursor);
}

static void fail(pl_follower_t *follower, enum pl_error_code error)
{
    follower->state = IDLE;
    follower->must_read = true;
    follower->callbacks->on_error(follower->owner, error);
}

/* Lets go of a read that is still in flight: its answer is no longer wanted. */
static void forget_request(pl_follower_t *follower)
{
    request_t *request = follower->request;

    if (request == NULL)
        return;
    follower->request = NULL;
    request->follower = NULL;
    if (request->is_version)
        request->version.op.abandoned = true;
    else
        request->page.op.abandoned = true;
}

/* A wake-up is a hint. A read that began after it and did not reach what it told has the last word,
 * so that a mailbox that lost its end (a replica that took over) is not read again and again. */
static void believe(pl_follower_t *follower, const request_t *request, const pl_page_t *page)
{
    if (follower->seen == request->seen && !page->has_more)
        follower->seen = page->version;
}

/* One read at a time: a delta from a commit may have come while a heartbeat's check was under way.
 */
static void submit(pl_follower_t *follower, request_t *request, pl_op_t *op)
{
    int shard = (int)pl_id_shard(follower->waiter.user_id);

    op->shard = shard;
    op->deadline_ms = (uint64_t)pl_clock_monotonic_ms() + follower->settings->deadline_ms;
    forget_request(follower);
    request->follower = follower;
    request->seen = follower->seen;
    follower->request = request;
    if (pl_lane_submit(pl_cluster_read_lane(follower->settings->cluster, shard), op) == 0)
        return;
    pl_op_refuse(op); /* no callback comes from inside pl_follower_next */
}

static void deliver(pl_follower_t *follower, const pl_delta_t *delta)
{
    follower->state = IDLE;
    follower->cursor = delta->cursor;
    follower->is_confirmed = true;
    follower->must_read = delta->has_more;
    follower->callbacks->on_delta(follower->owner, delta);
}

static void take_page(pl_follower_t *follower, const request_t *request, pl_page_t *page)
{
    pl_buffer_t json = PL_BUFFER_EMPTY;

    believe(follower, request, page);
    if (pl_page_length(&request->page) == 0 && page->is_delta) {
        follower->cursor = page->version;
        settle(follower);
        return;
    }
    pl_delta_to_json(&json, &request->page, page, follower->settings->max_delta_bytes);
    pl_push_metrics_delta(false);
    deliver(follower, &(pl_delta_t){json.data, json.len, page->version, page->has_more});
    pl_buffer_dispose(&json);
}

static void on_page_read(pl_op_t *op)
{
    request_t *request = H2O_STRUCT_FROM_MEMBER(request_t, page.op, op);
    pl_follower_t *follower = request->follower;
    pl_page_t page;

    if (follower != NULL) {
        follower->request = NULL;
        if (op->error != PL_OK)
            fail(follower, op->error);
        else if (!pl_page_head(&request->page, &page))
            fail(follower, PL_ERROR_INVALID);
        else
            take_page(follower, request, &page);
    }
    pl_page_read_dispose(&request->page);
    free(request);
}

static void read_page(pl_follower_t *follower)
{
    request_t *request = pl_calloc(1, sizeof(*request));

    follower->state = READING;
    request->page = (pl_page_read_t){.op = {.kind = &pl_updates_read_kind, .on_done = on_page_read},
                                     .user_id = follower->waiter.user_id,
                                     .page_size = follower->page_size,
                                     .since = follower->cursor};
    pl_page_read_init(&request->page);
    submit(follower, request, &request->page.op);
}

static void start_from_now(pl_follower_t *follower, const pl_version_read_t *read)
{
    if (read->op.error != PL_OK || !read->found) {
        fail(follower, read->op.error != PL_OK ? read->op.error : PL_ERROR_INVALID);
        return;
    }
    follower->cursor = read->version;
    pl_clock_observe(read->version);
    settle(follower);
}

/* The heartbeat's check. A wake-up may have come while it was under way: without a delta, and has
 * left the reading to it; or with one, which the check's answer may be older than. */
static void check_version(pl_follower_t *follower, const pl_version_read_t *read)
{
    bool differs = read->op.error == PL_OK && read->version != follower->cursor;

    if (follower->state != WAITING)
        return;
    if (differs && read->version > follower->cursor && follower->seen <= follower->cursor)
        pl_push_metrics_late();
    if (differs || follower->seen > follower->cursor)
        read_page(follower);
}

static void on_version_read(pl_op_t *op)
{
    request_t *request = H2O_STRUCT_FROM_MEMBER(request_t, version.op, op);
    pl_follower_t *follower = request->follower;

    if (follower != NULL) {
        follower->request = NULL;
        if (follower->cursor == PL_FOLLOW_FROM_NOW)
            start_from_now(follower, &request->version);
        else
            check_version(follower, &request->version);
    }
    free(request);
}

static void read_version(pl_follower_t *follower)
{
    request_t *request = pl_calloc(1, sizeof(*request));

    request->is_version = true;
    request->version = (pl_version_read_t){
        .op = {.kind = &pl_version_read_kind, .on_done = on_version_read},
        .user_id = follower->waiter.user_id};
    submit(follower, request, &request->version.op);
}

static void on_wake(pl_waiter_t *waiter, const pl_wake_t *wake)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, waiter, waiter);

    if (wake->version > follower->seen)
        follower->seen = wake->version;
    if (follower->state != WAITING || wake->version <= follower->cursor)
        return;
    if (wake->delta != NULL && wake->previous == follower->cursor &&
        wake->messages_count <= (size_t)follower->page_size &&
        wake->delta_len <= follower->settings->max_delta_bytes) {
        pl_push_metrics_delta(true);
        deliver(follower, &(pl_delta_t){wake->delta, wake->delta_len, wake->version, false});
    } else if (follower->request == NULL) {
        read_page(follower);
    }
}

static void on_event(pl_waiter_t *waiter, const pl_event_t *event)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, waiter, waiter);

    if (follower->callbacks->on_event != NULL)
        follower->callbacks->on_event(follower->owner, event);
}

static const pl_waiter_callbacks_t waiter_callbacks = {.on_wake = on_wake, .on_event = on_event};

static void on_heartbeat(pl_timer_t *timer)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, heartbeat, timer);

    pl_timer_arm(pl_timer_queue(pl_hub_local_loop(follower->settings->hub),
                                follower->settings->heartbeat_ms),
                 timer);
    if (follower->state == WAITING && follower->request == NULL)
        read_version(follower);
    follower->callbacks->on_heartbeat(follower->owner);
}

pl_follower_t *pl_follower_create(const pl_follower_settings_t *settings, int64_t user_id,
                                  int64_t cursor, int32_t page_size,
                                  const pl_follower_callbacks_t *callbacks, void *owner)
{
    pl_follower_t *follower = pl_calloc(1, sizeof(*follower));

    follower->settings = settings;
    follower->callbacks = callbacks;
    follower->owner = owner;
    follower->cursor = cursor;
    follower->page_size = page_size;
    follower->must_read = true;
    follower->waiter.callbacks = &waiter_callbacks;
    follower->heartbeat.on_fire = on_heartbeat;
    if (pl_hub_add(settings->hub, &follower->waiter, user_id) != 0) {
        free(follower);
        return NULL;
    }
    pl_timer_arm(pl_timer_queue(pl_hub_local_loop(settings->hub), settings->heartbeat_ms),
                 &follower->heartbeat);
    return follower;
}

void pl_follower_destroy(pl_follower_t **follower_p)
{
    pl_follower_t *follower = *follower_p;

    *follower_p = NULL;
    if (follower == NULL)
        return;
    forget_request(follower);
    pl_timer_disarm(&follower->heartbeat);
    pl_hub_remove(follower->settings->hub, &follower->waiter);
    free(follower);
}

void pl_follower_next(pl_follower_t *follower)
{
    if (follower->state != IDLE)
        return;
    if (follower->cursor == PL_FOLLOW_FROM_NOW) {
        follower->state = READING;
        read_version(follower);
    } else if (is_behind(follower)) {
        read_page(follower);
    } else {
        follower->state = WAITING;
    }
}

int64_t pl_follower_cursor(const pl_follower_t *follower)
{
    return follower->is_confirmed ? follower->cursor : PL_FOLLOW_FROM_NOW;
}

int64_t pl_follower_user_id(const pl_follower_t *follower)
{
    return follower->waiter.user_id;
}
