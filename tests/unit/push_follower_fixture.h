/* A follower with simulated surroundings: this file replaces the lane, the hub, the timers and the
 * counters. So a read waits until the test answers it, and time passes only when the test says
 * so. */
#ifndef PL_PUSH_FOLLOWER_FIXTURE_H
#define PL_PUSH_FOLLOWER_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/memory.h"
#include "loop/timer.h"
#include "push/follower.h"
#include "push/metrics.h"
#include "store/mailbox.h"
#include "store/page.h"
#include "testing.h"

#define READS_MAX 16
#define PAGE_SIZE 3
#define DELTA_BYTES_MAX 1000
#define HEARTBEAT_MS 15000
#define SHARD 5
#define PEER INT64_C(77)

static struct {
    pl_op_t *reads[READS_MAX]; /* NULL: answered */
    size_t reads_count;
    pl_op_t *refused;
    bool is_lane_full;
    pl_waiter_t *waiter;
    bool is_hub_full;
    pl_timer_t *heartbeat;
    int direct, read, missed; /* values of the counters */
    bool is_inside;           /* inside a call of pl_follower_, during which no callback may come */

    /* The callbacks that the owner received. */
    pl_follower_t *follower;
    bool destroys; /* the follower, from inside the callback */
    int deltas, waitings, errors, heartbeats;
    char delta[8192];
    int64_t cursor;
    bool has_more;
    enum pl_error_code error;
} world;

pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard)
{
    (void)cluster;
    assert_int_equal(shard, SHARD);
    return NULL;
}

int pl_lane_submit(pl_lane_t *lane, pl_op_t *op)
{
    (void)lane;
    assert_int_equal(op->shard, SHARD);
    assert_true(op->deadline_ms > 0);
    if (world.is_lane_full)
        return -1;
    assert_in_range(world.reads_count, 0, READS_MAX - 1);
    world.reads[world.reads_count++] = op;
    return 0;
}

void pl_op_end_overloaded(pl_op_t *op)
{
    assert_null(world.refused);
    world.refused = op;
}

int pl_hub_add(pl_hub_local_t *local, pl_waiter_t *waiter, int64_t user_id)
{
    (void)local;
    if (world.is_hub_full)
        return -1;
    waiter->user_id = user_id;
    world.waiter = waiter;
    return 0;
}

void pl_hub_remove(pl_hub_local_t *local, pl_waiter_t *waiter)
{
    (void)local;
    assert_ptr_equal(world.waiter, waiter);
    world.waiter = NULL;
}

pl_loop_t *pl_hub_local_loop(const pl_hub_local_t *local)
{
    (void)local;
    return NULL;
}

bool pl_loop_is_own(const pl_loop_t *loop)
{
    (void)loop;
    return true;
}

pl_timer_queue_t *pl_timer_queue(pl_loop_t *loop, uint64_t duration_ms)
{
    (void)loop;
    assert_int_equal(duration_ms, HEARTBEAT_MS);
    return NULL;
}

void pl_timer_arm(pl_timer_queue_t *queue, pl_timer_t *timer)
{
    (void)queue;
    world.heartbeat = timer;
}

void pl_timer_disarm(pl_timer_t *timer)
{
    assert_ptr_equal(world.heartbeat, timer);
    world.heartbeat = NULL;
}

void pl_push_metrics_delta(bool direct)
{
    *(direct ? &world.direct : &world.read) += 1;
}

void pl_push_metrics_missed_wake(void)
{
    world.missed++;
}

/* The owner */

static void destroy(void)
{
    bool was_inside = world.is_inside;

    world.is_inside = true;
    pl_follower_destroy(&world.follower);
    world.is_inside = was_inside;
    assert_null(world.follower);
}

static void told(void)
{
    assert_false(world.is_inside);
    assert_non_null(world.follower);
    if (world.destroys)
        destroy();
}

static void on_delta(void *owner, const pl_delta_t *delta)
{
    assert_ptr_equal(owner, &world);
    world.deltas++;
    assert_in_range(delta->len, 1, sizeof(world.delta) - 1);
    memcpy(world.delta, delta->json, delta->len);
    world.delta[delta->len] = '\0';
    world.cursor = delta->cursor;
    world.has_more = delta->has_more;
    assert_int_equal(pl_follower_cursor(world.follower), delta->cursor);
    told();
}

static void on_waiting(void *owner, int64_t cursor)
{
    assert_ptr_equal(owner, &world);
    world.waitings++;
    world.cursor = cursor;
    told();
}

static void on_error(void *owner, enum pl_error_code error)
{
    assert_ptr_equal(owner, &world);
    world.errors++;
    world.error = error;
    told();
}

static void on_heartbeat(void *owner)
{
    assert_ptr_equal(owner, &world);
    world.heartbeats++;
    told();
}

static const pl_follower_callbacks_t callbacks = {
    .on_delta = on_delta,
    .on_waiting = on_waiting,
    .on_error = on_error,
    .on_heartbeat = on_heartbeat,
};

static const pl_follower_settings_t settings = {
    .heartbeat_ms = HEARTBEAT_MS, .deadline_ms = 5000, .max_delta_bytes = DELTA_BYTES_MAX};

static int64_t user(void)
{
    return pl_id_make(SHARD, 1000, PL_ID_USER, 1);
}

static void create(int64_t cursor)
{
    world.is_inside = true;
    world.follower = pl_follower_create(&settings, user(), cursor, PAGE_SIZE, &callbacks, &world);
    world.is_inside = false;
}

static void next(void)
{
    world.is_inside = true;
    pl_follower_next(world.follower);
    world.is_inside = false;
}

static void heartbeat(void)
{
    pl_timer_t *timer = world.heartbeat;

    world.heartbeat = NULL;
    timer->on_fire(timer);
}

/* A commit in this process. If `delta` is NULL, the follower must read. */
static void wake(int64_t previous, int64_t version, const char *delta, size_t messages_count)
{
    const pl_wake_t told = {.user_id = user(),
                            .previous = previous,
                            .version = version,
                            .delta = delta,
                            .delta_len = delta ? strlen(delta) : 0,
                            .messages_count = messages_count};

    world.waiter->callbacks->on_wake(world.waiter, &told);
}

/* Reads and their results */

static pl_op_t *take_read(size_t index, const pl_op_kind_t *kind)
{
    pl_op_t *op = world.reads[index];

    assert_non_null(op);
    assert_ptr_equal(op->kind, kind);
    world.reads[index] = NULL;
    return op;
}

static void answer_version(size_t index, enum pl_error_code error, bool found, int64_t version)
{
    pl_op_t *op = take_read(index, &pl_version_read_kind);
    pl_version_read_t *read = H2O_STRUCT_FROM_MEMBER(pl_version_read_t, op, op);

    assert_int_equal(read->user_id, user());
    read->found = found;
    read->version = version;
    op->error = error;
    op->on_done(op);
}

static void set_int64(PGresult *result, int row, int column, int64_t value)
{
    char wire[8];
    for (int i = 0; i < 8; i++)
        wire[i] = (char)((uint64_t)value >> (56 - 8 * i));
    assert_true(PQsetvalue(result, row, column, wire, sizeof(wire)));
}

static void set_bool(PGresult *result, int row, int column, bool value)
{
    char wire = value;
    assert_true(PQsetvalue(result, row, column, &wire, 1));
}

static void set_text(PGresult *result, int row, int column, const char *text)
{
    assert_true(PQsetvalue(result, row, column, (char *)(uintptr_t)text, (int)strlen(text)));
}

/* The columns of fetch_updates, in the order of pl_updates_read_kind. */
static PGresult *empty_page(void)
{
    static const char *const names[] = {"kind",
                                        "peer_id",
                                        "message_id",
                                        "sender_id",
                                        "client_message_id",
                                        "content",
                                        "version",
                                        "extra",
                                        "status",
                                        "unread_count",
                                        "read_up_to",
                                        "delivered_up_to",
                                        "peer_read_up_to",
                                        "peer_delivered_up_to",
                                        "cleared_up_to",
                                        "muted_until",
                                        "flags",
                                        "view",
                                        "mailbox_version",
                                        "is_delta",
                                        "has_more"};
    enum { COLUMNS = sizeof(names) / sizeof(names[0]) };
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[COLUMNS];

    memset(columns, 0, sizeof(columns));
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].name = (char *)(uintptr_t)names[i]; /* libpq copies it */
        columns[i].format = 1;
    }
    assert_true(PQsetResultAttrs(result, COLUMNS, columns));
    return result;
}

typedef struct page {
    int64_t version;
    bool replaces; /* a first page, which replaces the client's view */
    bool has_more;
    size_t messages_count;
    int64_t first_version;
    const char *content; /* of every message */
} page_t;

static PGresult *page_of(const page_t *page)
{
    PGresult *result = empty_page();

    set_text(result, 0, 0, "h");
    set_int64(result, 0, 6, page->version);
    set_bool(result, 0, 19, !page->replaces);
    set_bool(result, 0, 20, page->has_more);
    for (size_t i = 0; i < page->messages_count; i++) {
        int row = (int)i + 1;
        int64_t version = page->first_version + (int64_t)i;
        set_text(result, row, 0, "m");
        set_int64(result, row, 1, PEER);
        set_int64(result, row, 2, version * 2);
        set_int64(result, row, 3, PEER);
        set_text(result, row, 4, "c");
        set_text(result, row, 5, page->content);
        set_int64(result, row, 6, version);
    }
    return result;
}

static pl_page_read_t *page_read_at(size_t index)
{
    assert_in_range(index, 0, world.reads_count - 1);
    assert_ptr_equal(world.reads[index]->kind, &pl_updates_read_kind);
    return H2O_STRUCT_FROM_MEMBER(pl_page_read_t, op, world.reads[index]);
}

static void assert_reads_since(size_t index, int64_t since)
{
    const pl_page_read_t *read = page_read_at(index);

    assert_int_equal(world.reads_count, index + 1);
    assert_int_equal(read->user_id, user());
    assert_int_equal(read->since, since);
    assert_int_equal(read->page_size, PAGE_SIZE);
}

static void answer_result(size_t index, PGresult *result)
{
    pl_op_t *op = take_read(index, &pl_updates_read_kind);

    if (!op->kind->decode(result, &op, 1))
        PQclear(result);
    op->error = PL_OK;
    op->on_done(op);
}

static void answer_page(size_t index, page_t page)
{
    answer_result(index, page_of(&page));
}

/* A page with one message, whose version is the mailbox's. */
static void answer_message(size_t index, int64_t version)
{
    answer_page(index, (page_t){.version = version,
                                .messages_count = 1,
                                .first_version = version,
                                .content = "x"});
}

static void answer_nothing(size_t index, int64_t version)
{
    answer_page(index, (page_t){.version = version});
}

static void fail_read(size_t index, enum pl_error_code error)
{
    pl_op_t *op = world.reads[index];

    world.reads[index] = NULL;
    op->error = error;
    op->on_done(op);
}

/* A follower that has read up to `cursor` and is WAITING. */
static void create_waiting(int64_t cursor)
{
    create(cursor);
    next();
    answer_nothing(0, cursor);
    assert_int_equal(world.waitings, 1);
}

/* Checks the numbers of callbacks since the start: on_delta, on_waiting, on_error. */
static void assert_callbacks(int deltas, int waitings, int errors)
{
    assert_int_equal(world.deltas, deltas);
    assert_int_equal(world.waitings, waitings);
    assert_int_equal(world.errors, errors);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    return 0;
}

/* If a test leaves reads unanswered, their results come after its end, as in a server. */
static int tear_down(void **state)
{
    (void)state;
    if (world.follower != NULL)
        destroy();
    assert_null(world.waiter);
    assert_null(world.heartbeat);
    for (size_t i = 0; i < world.reads_count; i++)
        if (world.reads[i] != NULL)
            fail_read(i, PL_ERROR_DEADLINE);
    return 0;
}

#endif
