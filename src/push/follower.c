#include "push/follower.h"

#include <assert.h>
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
    int64_t woken_version; /* the highest version of any wake-up so far */
    pl_timer_t heartbeat;
    struct read *read; /* the read in flight, or NULL; it may outlive the follower */
    int32_t page_size;
    state_t state;
    /* There may be changes beyond the cursor that no wake-up announces: at the start, and after a
     * full page or a failed read. */
    bool must_read;
    bool is_confirmed; /* the cursor came from the mailbox, or was compared with it */
};

/* One read for a follower. Allocated only while in flight, so that an idle follower stays small. */
typedef struct read {
    pl_follower_t *follower; /* NULL: the follower no longer needs the result */
    int64_t woken_version;   /* the follower's, when the read was sent */
    bool is_version;
    union {
        pl_page_read_t page;
        pl_version_read_t version;
    };
} read_t;

static void read_page(pl_follower_t *follower);

/* Each state has one bit; the arrows of follower.h. From READING to READING: a wake-up came during
 * a read that found nothing. */
static const unsigned next_states[] = {
    [IDLE] = 1u << READING | 1u << WAITING,
    [READING] = 1u << IDLE | 1u << READING | 1u << WAITING,
    [WAITING] = 1u << IDLE | 1u << READING,
};

static void assert_own_thread(const pl_follower_t *follower)
{
    assert(pl_loop_is_own(pl_hub_local_loop(follower->settings->hub)));
}

static void set_state(pl_follower_t *follower, state_t state)
{
    assert_own_thread(follower);
    assert((next_states[follower->state] >> state & 1u) != 0);
    follower->state = state;
}

static bool is_behind(const pl_follower_t *follower)
{
    return follower->must_read || follower->woken_version > follower->cursor;
}

/* A read found nothing beyond the cursor: waits, unless a wake-up has come since. */
static void wait_for_changes(pl_follower_t *follower)
{
    follower->must_read = false;
    follower->is_confirmed = true;
    if (is_behind(follower)) {
        read_page(follower);
        return;
    }
    set_state(follower, WAITING);
    follower->callbacks->on_waiting(follower->owner, follower->cursor);
}

static void fail(pl_follower_t *follower, enum pl_error_code error)
{
    set_state(follower, IDLE);
    follower->must_read = true;
    follower->callbacks->on_error(follower->owner, error);
}

/* Abandons the read in flight, if any: its result is no longer needed. */
static void abandon_read(pl_follower_t *follower)
{
    read_t *read = follower->read;

    if (read == NULL)
        return;
    follower->read = NULL;
    read->follower = NULL;
    if (read->is_version)
        read->version.op.abandoned = true;
    else
        read->page.op.abandoned = true;
}

/* A wake-up is only a hint. If a read that started after the wake-up still finds a lower version,
 * trust the read. Else a mailbox that lost its last changes (a replica took over) would be read
 * again and again. */
static void trust_read(pl_follower_t *follower, const read_t *read, const pl_page_t *page)
{
    if (follower->woken_version == read->woken_version && !page->has_more)
        follower->woken_version = page->version;
}

/* A follower has one read at a time. There may already be one: the version check of a heartbeat,
 * during which a wake-up came with a delta and the owner then asked for the next one. */
static void submit(pl_follower_t *follower, read_t *read, pl_op_t *op)
{
    int shard = (int)pl_id_shard(follower->waiter.user_id);

    op->shard = shard;
    op->user_id = follower->waiter.user_id;
    op->deadline_ms = (uint64_t)pl_clock_monotonic_ms() + follower->settings->deadline_ms;
    abandon_read(follower);
    read->follower = follower;
    read->woken_version = follower->woken_version;
    follower->read = read;
    if (pl_lane_submit(pl_cluster_read_lane(follower->settings->cluster, shard), op) == 0)
        return;
    /* Not at once: no callback may come inside pl_follower_next. */
    pl_op_end_overloaded(op);
}

static void deliver(pl_follower_t *follower, const pl_delta_t *delta)
{
    assert(delta->cursor >= 0);
    set_state(follower, IDLE);
    follower->cursor = delta->cursor;
    follower->is_confirmed = true;
    follower->must_read = delta->has_more;
    follower->callbacks->on_delta(follower->owner, delta);
}

static void handle_page(pl_follower_t *follower, const read_t *read, pl_page_t *page)
{
    pl_buffer_t json = PL_BUFFER_EMPTY;

    trust_read(follower, read, page);
    if (pl_page_length(&read->page) == 0 && page->is_delta) {
        follower->cursor = page->version;
        wait_for_changes(follower);
        return;
    }
    pl_delta_to_json(&json, &read->page, page, follower->settings->max_delta_bytes);
    pl_push_metrics_delta(false);
    deliver(follower, &(pl_delta_t){json.data, json.len, page->version, page->has_more});
    pl_buffer_dispose(&json);
}

static void on_page_read(pl_op_t *op)
{
    read_t *read = H2O_STRUCT_FROM_MEMBER(read_t, page.op, op);
    pl_follower_t *follower = read->follower;
    pl_page_t page;

    if (follower != NULL) {
        follower->read = NULL;
        if (op->error != PL_OK)
            fail(follower, op->error);
        else if (!pl_page_head(&read->page, &page))
            fail(follower, PL_ERROR_INVALID);
        else
            handle_page(follower, read, &page);
    }
    pl_page_read_dispose(&read->page);
    free(read);
}

static void read_page(pl_follower_t *follower)
{
    read_t *read = pl_calloc(1, sizeof(*read));

    set_state(follower, READING);
    read->page = (pl_page_read_t){.op = {.kind = &pl_updates_read_kind, .on_done = on_page_read},
                                  .user_id = follower->waiter.user_id,
                                  .page_size = follower->page_size,
                                  .max_bytes = (int32_t)follower->settings->max_delta_bytes,
                                  .since = follower->cursor};
    pl_page_read_init(&read->page);
    submit(follower, read, &read->page.op);
}

static void start_from_now(pl_follower_t *follower, const pl_version_read_t *read)
{
    if (read->op.error != PL_OK || !read->found) {
        fail(follower, read->op.error != PL_OK ? read->op.error : PL_ERROR_INVALID);
        return;
    }
    follower->cursor = read->version;
    pl_clock_advance_past(read->version);
    wait_for_changes(follower);
}

/* Handles the result of the heartbeat's version check. A wake-up may have come during the check. If
 * it had no usable delta, it left the reading to this function (see on_wake). If it had one, the
 * follower is no longer WAITING, and the result may be older than its cursor. */
static void check_version(pl_follower_t *follower, const pl_version_read_t *read)
{
    bool differs = read->op.error == PL_OK && read->version != follower->cursor;

    if (follower->state != WAITING)
        return;
    if (differs && read->version > follower->cursor && follower->woken_version <= follower->cursor)
        pl_push_metrics_missed_wake();
    if (differs || follower->woken_version > follower->cursor)
        read_page(follower);
}

static void on_version_read(pl_op_t *op)
{
    read_t *read = H2O_STRUCT_FROM_MEMBER(read_t, version.op, op);
    pl_follower_t *follower = read->follower;

    if (follower != NULL) {
        follower->read = NULL;
        if (follower->cursor == PL_FOLLOW_FROM_NOW)
            start_from_now(follower, &read->version);
        else
            check_version(follower, &read->version);
    }
    free(read);
}

static void read_version(pl_follower_t *follower)
{
    read_t *read = pl_calloc(1, sizeof(*read));

    read->is_version = true;
    read->version = (pl_version_read_t){
        .op = {.kind = &pl_version_read_kind, .on_done = on_version_read},
        .user_id = follower->waiter.user_id};
    submit(follower, read, &read->version.op);
}

static void on_wake(pl_waiter_t *waiter, const pl_wake_t *wake)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, waiter, waiter);

    assert_own_thread(follower);
    if (wake->version > follower->woken_version)
        follower->woken_version = wake->version;
    if (follower->state != WAITING || wake->version <= follower->cursor)
        return;
    if (wake->delta != NULL && wake->previous == follower->cursor &&
        wake->messages_count <= (size_t)follower->page_size &&
        wake->delta_len <= follower->settings->max_delta_bytes) {
        pl_push_metrics_delta(true);
        deliver(follower, &(pl_delta_t){wake->delta, wake->delta_len, wake->version, false});
    } else if (follower->read == NULL) {
        read_page(follower);
    }
}

static void on_event(pl_waiter_t *waiter, const pl_event_t *event)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, waiter, waiter);

    if (follower->callbacks->on_event != NULL)
        follower->callbacks->on_event(follower->owner, event);
}

static void on_recheck(pl_waiter_t *waiter)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, waiter, waiter);

    if (follower->callbacks->on_recheck != NULL)
        follower->callbacks->on_recheck(follower->owner);
}

static const pl_waiter_callbacks_t waiter_callbacks = {
    .on_wake = on_wake,
    .on_event = on_event,
    .on_recheck = on_recheck,
};

static void on_heartbeat(pl_timer_t *timer)
{
    pl_follower_t *follower = H2O_STRUCT_FROM_MEMBER(pl_follower_t, heartbeat, timer);

    pl_timer_arm(pl_timer_queue(pl_hub_local_loop(follower->settings->hub),
                                follower->settings->heartbeat_ms),
                 timer);
    if (follower->state == WAITING && follower->read == NULL)
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
    assert_own_thread(follower);
    abandon_read(follower);
    pl_timer_disarm(&follower->heartbeat);
    pl_hub_remove(follower->settings->hub, &follower->waiter);
    free(follower);
}

void pl_follower_next(pl_follower_t *follower)
{
    if (follower->state != IDLE)
        return;
    if (follower->cursor == PL_FOLLOW_FROM_NOW) {
        set_state(follower, READING);
        read_version(follower);
    } else if (is_behind(follower)) {
        read_page(follower);
    } else {
        set_state(follower, WAITING);
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
