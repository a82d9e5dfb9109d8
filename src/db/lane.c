#include "db/lane.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/batch.h"
#include "db/conn.h"
#include "db/metrics.h"
#include "db/queue.h"
#include "directory/durability.h"
#include "loop/timer.h"

/* How often the queue is searched for operations that are past their deadline. */
#define SWEEP_MS 100
/* The pause after a transient failure, so that the lane does not retry in a tight loop. */
#define PAUSE_MS 60
/* How long the lane calls on_done in one turn of its loop. What an operation does then may take a
 * millisecond (a page of 1 MB becomes JSON), so a batch of such pages would hold up the loop. */
#define TURN_US 3000
/* SQLSTATE of a statement that took longer than statement_timeout. */
#define QUERY_CANCELED "57014"

typedef enum { UNCHECKED, CHECKING, CHECKED } durability_t;

struct pl_lane {
    pl_loop_t *loop;
    char *name;
    char *dsn;
    uint64_t batch_timeout_ms;
    size_t queue_size;
    bool allow_data_loss_on_crash;
    durability_t durability; /* of the commits on this connection */
    bool is_durable;
    void *context;
    pl_conn_t *conn;
    pl_queue_t queue;
    h2o_linklist_t done; /* committed, and on_done is still to be called */
    pl_task_t next_turn; /* posted while some are left in `done` */
    pl_batch_t batch;
    uint64_t batch_sent_ms;
    uint64_t progress_ms; /* when the last batch was sent, or the last result came */
    bool batch_failed;
    char batch_sqlstate[6];
    pl_deferred_t flush;
    pl_timer_t sweep;
    pl_timer_t pause;
    atomic_size_t length; /* operations queued or in flight */
    atomic_bool connected;
};

static void flush_queue(pl_lane_t *lane);

/* UNCHECKED --> CHECKING --> CHECKED, and back to UNCHECKED when the connection is lost. */
static void set_durability(pl_lane_t *lane, durability_t durability)
{
    assert(pl_loop_is_own(lane->loop));
    assert(durability == UNCHECKED || durability == lane->durability + 1);
    lane->durability = durability;
}

static void run_on_done(pl_task_t *task)
{
    pl_op_t *op = H2O_STRUCT_FROM_MEMBER(pl_op_t, task, task);
    op->on_done(op);
}

/* The operation leaves the lane and belongs to its owner again. */
static void finish(pl_lane_t *lane, pl_op_t *op, enum pl_error_code error)
{
    size_t length = atomic_fetch_sub_explicit(&lane->length, 1, memory_order_relaxed);

    assert(op->lane == lane && length > 0);
    op->lane = NULL;
    op->error = error;
    op->task.run = run_on_done;
    if (op->home == lane->loop)
        op->on_done(op);
    else
        pl_loop_post(op->home, &op->task);
}

/* Puts the batch's operations back at the head of the queue, in their order. */
static void requeue(pl_lane_t *lane, bool retry_alone)
{
    for (size_t i = lane->batch.count; i-- > 0;) {
        pl_op_t *op = lane->batch.ops[i];
        op->is_retried_alone = op->is_retried_alone || retry_alone;
        pl_queue_add_first(&lane->queue, op);
    }
    pl_batch_clear(&lane->batch);
}

/* True for failures that are not the operation's fault: the same operation may succeed in a
 * moment. */
static bool is_transient(const char *sqlstate)
{
    static const char *const states[] = {
        "40001",                 /* serialization_failure */
        "40P01",                 /* deadlock_detected */
        "55P03",                 /* lock_not_available */
        QUERY_CANCELED, "25006", /* read_only_sql_transaction: a server that is being failed over */
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    /* insufficient resources, connection exceptions, operator intervention */
    return strncmp(sqlstate, "53", 2) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
           strncmp(sqlstate, "57P", 3) == 0;
}

/* The transaction failed as a whole. If it had several operations, each is retried alone. If it had
 * one, that is retried or ends with an error. */
static void end_failed_batch(pl_lane_t *lane)
{
    pl_op_t *op = lane->batch.ops[0];
    bool transient = is_transient(lane->batch_sqlstate);

    pl_db_metrics_batch_failed();
    if (lane->batch.count == 1 && strcmp(lane->batch_sqlstate, QUERY_CANCELED) == 0) {
        /* This operation alone reached the time limit of a statement. It would do so again, and
         * delay the others. */
        pl_batch_clear(&lane->batch);
        finish(lane, op, PL_ERROR_DEADLINE);
        return;
    }
    if (transient)
        pl_timer_arm(pl_timer_queue(lane->loop, PAUSE_MS), &lane->pause);
    if (lane->batch.count > 1 || transient) {
        requeue(lane, lane->batch.count > 1);
        return;
    }
    memcpy(op->sqlstate, lane->batch_sqlstate, sizeof(op->sqlstate));
    pl_batch_clear(&lane->batch);
    finish(lane, op, PL_ERROR_SQL);
}

/* In the order of submission. A callback may submit to this lane. The rest waits for the loop's
 * next turn when this one has taken long enough, and so does the next batch: the lane never holds
 * the results of two. */
static void finish_done(pl_lane_t *lane)
{
    int64_t start_us = pl_clock_monotonic_us();

    while (!h2o_linklist_is_empty(&lane->done)) {
        pl_op_t *op = H2O_STRUCT_FROM_MEMBER(pl_op_t, link, lane->done.next);
        h2o_linklist_unlink(&op->link);
        finish(lane, op, PL_OK);
        if (!h2o_linklist_is_empty(&lane->done) && pl_clock_monotonic_us() - start_us >= TURN_US) {
            pl_db_metrics_turn_ended();
            pl_loop_post(lane->loop, &lane->next_turn);
            return;
        }
    }
}

static void on_next_turn(pl_task_t *task)
{
    pl_lane_t *lane = H2O_STRUCT_FROM_MEMBER(pl_lane_t, next_turn, task);

    finish_done(lane);
    flush_queue(lane);
}

static void end_committed_batch(pl_lane_t *lane)
{
    pl_op_t *again[PL_BATCH_MAX];
    size_t count = lane->batch.count, again_count = 0;

    assert(lane->batch.decoded == lane->batch.statements_count);
    for (size_t i = 0; i < lane->batch.statements_count; i++) {
        const pl_batch_statement_t *statement = &lane->batch.statements[i];
        if (statement->kind->on_committed != NULL)
            statement->kind->on_committed(lane->context, statement->ops, statement->count);
    }
    /* All results are copied before any callback, because a callback may free its operation. */
    for (size_t i = 0; i < count; i++) {
        pl_op_t *op = lane->batch.ops[i], *leader = lane->batch.leaders[i];
        if (leader == NULL || op->kind->adopt(op, leader))
            h2o_linklist_insert(&lane->done, &op->link);
        else
            again[again_count++] = op;
    }
    pl_batch_clear(&lane->batch);
    while (again_count > 0)
        pl_queue_add_first(&lane->queue, again[--again_count]);
    finish_done(lane);
}

/* If sending fails, on_lost follows. */
static void check_durability(pl_lane_t *lane)
{
    const pl_params_t none = {.count = 0};

    set_durability(lane, CHECKING);
    lane->is_durable = false;
    lane->progress_ms = (uint64_t)pl_clock_monotonic_ms();
    if (pl_conn_query(lane->conn, pl_durability_query, &none) == 0)
        (void)!pl_conn_sync(lane->conn);
}

static void on_idle(void *owner)
{
    pl_lane_t *lane = owner;

    if (lane->durability == UNCHECKED) {
        check_durability(lane);
        return;
    }
    if (lane->durability == CHECKING && !lane->is_durable) {
        pl_conn_drop(lane->conn, "commits are not durable");
        return;
    }
    if (lane->durability == CHECKING)
        set_durability(lane, CHECKED);
    atomic_store_explicit(&lane->connected, true, memory_order_relaxed);
    flush_queue(lane);
}

static void read_durability(pl_lane_t *lane, const PGresult *result)
{
    pl_error_t error;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return;
    lane->is_durable = lane->allow_data_loss_on_crash || pl_durability_read(result, &error) == 0;
    if (!lane->is_durable)
        pl_log_error("database-not-durable", PL_S("lane", lane->name), PL_E(&error));
}

static void on_result(void *owner, PGresult *result)
{
    pl_lane_t *lane = owner;
    ExecStatusType status = PQresultStatus(result);

    lane->progress_ms = (uint64_t)pl_clock_monotonic_ms();
    if (lane->durability == CHECKING) {
        read_durability(lane, result);
        PQclear(result);
        return;
    }

    if (status == PGRES_TUPLES_OK) {
        if (pl_batch_decode_next(&lane->batch, result))
            return;
    } else if (status != PGRES_PIPELINE_ABORTED && !lane->batch_failed) {
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        lane->batch_failed = true;
        snprintf(lane->batch_sqlstate, sizeof(lane->batch_sqlstate), "%s",
                 sqlstate != NULL ? sqlstate : "XX000");
        pl_log_warn("batch-failed", PL_S("lane", lane->name),
                    PL_S("sqlstate", lane->batch_sqlstate),
                    PL_S("detail", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)),
                    PL_I("operations", (int64_t)lane->batch.count));
    }
    PQclear(result);
}

static void on_batch_end(void *owner)
{
    pl_lane_t *lane = owner;
    if (lane->durability == CHECKING)
        return;
    pl_db_metrics_batch(lane->batch.count, (uint64_t)pl_clock_monotonic_ms() - lane->batch_sent_ms);
    if (lane->batch_failed)
        end_failed_batch(lane);
    else
        end_committed_batch(lane);
}

static void on_lost(void *owner)
{
    pl_lane_t *lane = owner;
    atomic_store_explicit(&lane->connected, false, memory_order_relaxed);
    set_durability(lane, UNCHECKED);
    pl_db_metrics_connection_lost();
    for (size_t i = 0; i < lane->batch.count; i++)
        lane->batch.ops[i]->is_outcome_unknown = true;
    requeue(lane, false);
}

static const pl_conn_callbacks_t conn_callbacks = {
    .on_idle = on_idle,
    .on_result = on_result,
    .on_batch_end = on_batch_end,
    .on_lost = on_lost,
};

static void flush_queue(pl_lane_t *lane)
{
    if (lane->batch.count > 0 || !h2o_linklist_is_empty(&lane->done) ||
        pl_timer_is_armed(&lane->pause) || pl_queue_is_empty(&lane->queue) ||
        lane->durability != CHECKED || !pl_conn_is_idle(lane->conn))
        return;
    lane->batch_failed = false;
    lane->batch_sent_ms = lane->progress_ms = (uint64_t)pl_clock_monotonic_ms();
    pl_batch_fill(&lane->batch, &lane->queue);
    /* If sending fails, on_lost follows and queues the batch again. */
    (void)!pl_batch_send(&lane->batch, lane->conn);
}

static void on_flush(pl_deferred_t *deferred)
{
    flush_queue(H2O_STRUCT_FROM_MEMBER(pl_lane_t, flush, deferred));
}

static void on_pause_over(pl_timer_t *timer)
{
    flush_queue(H2O_STRUCT_FROM_MEMBER(pl_lane_t, pause, timer));
}

static enum pl_error_code expiry_error(const pl_lane_t *lane, const pl_op_t *op)
{
    if (op->is_outcome_unknown)
        return PL_ERROR_OUTCOME_UNKNOWN;
    return atomic_load_explicit(&lane->connected, memory_order_relaxed) ? PL_ERROR_DEADLINE
                                                                        : PL_ERROR_UNAVAILABLE;
}

static void on_sweep(pl_timer_t *timer)
{
    pl_lane_t *lane = H2O_STRUCT_FROM_MEMBER(pl_lane_t, sweep, timer);
    uint64_t now_ms = (uint64_t)pl_clock_monotonic_ms();

    pl_timer_arm(pl_timer_queue(lane->loop, SWEEP_MS), timer);
    bool is_answer_due = lane->batch.count > 0 || lane->durability == CHECKING;
    if (is_answer_due && now_ms - lane->progress_ms > lane->batch_timeout_ms)
        pl_conn_drop(lane->conn, "no answer in time");

    h2o_linklist_t expired;
    h2o_linklist_init_anchor(&expired);
    pl_queue_take_expired(&lane->queue, now_ms, &expired);
    while (!h2o_linklist_is_empty(&expired)) {
        pl_op_t *op = H2O_STRUCT_FROM_MEMBER(pl_op_t, link, expired.next);
        h2o_linklist_unlink(&op->link);
        finish(lane, op, op->abandoned ? PL_ERROR_DEADLINE : expiry_error(lane, op));
    }
}

static void enqueue(pl_lane_t *lane, pl_op_t *op)
{
    assert(op->lane == lane);
    pl_queue_add(&lane->queue, op);
    pl_loop_defer(lane->loop, &lane->flush); /* asserts the thread */
}

static void on_arrival(pl_task_t *task)
{
    pl_op_t *op = H2O_STRUCT_FROM_MEMBER(pl_op_t, task, task);
    enqueue(op->lane, op);
}

pl_lane_t *pl_lane_create(pl_loop_t *loop, const pl_lane_settings_t *settings)
{
    pl_lane_t *lane = pl_calloc(1, sizeof(*lane));
    lane->loop = loop;
    lane->name = pl_strdup(settings->name);
    lane->dsn = pl_strdup(settings->dsn);
    lane->queue_size = settings->queue_size;
    lane->batch_timeout_ms = settings->batch_timeout_ms;
    lane->allow_data_loss_on_crash = settings->allow_data_loss_on_crash;
    lane->context = settings->context;
    pl_queue_init(&lane->queue, settings->takes_turns);
    h2o_linklist_init_anchor(&lane->done);
    lane->next_turn.run = on_next_turn;
    pl_batch_init(&lane->batch, settings->batch_size);
    lane->flush.run = on_flush;
    lane->sweep.on_fire = on_sweep;
    lane->pause.on_fire = on_pause_over;
    atomic_init(&lane->length, 0);
    atomic_init(&lane->connected, false);
    return lane;
}

void pl_lane_start(pl_lane_t *lane)
{
    assert(lane->conn == NULL);
    lane->conn = pl_conn_create(lane->loop, lane->name, lane->dsn, &conn_callbacks, lane);
    pl_timer_arm(pl_timer_queue(lane->loop, SWEEP_MS), &lane->sweep);
}

int pl_lane_submit(pl_lane_t *lane, pl_op_t *op)
{
    assert(op->lane == NULL && op->kind != NULL && op->on_done != NULL);
    assert(pl_loop_current() != NULL);
    if (atomic_fetch_add_explicit(&lane->length, 1, memory_order_relaxed) >= lane->queue_size) {
        atomic_fetch_sub_explicit(&lane->length, 1, memory_order_relaxed);
        return -1;
    }
    op->lane = lane;
    op->home = pl_loop_current();
    op->error = PL_OK;
    op->is_retried_alone = false;
    op->is_outcome_unknown = false;
    memset(op->sqlstate, 0, sizeof(op->sqlstate));
    memset(&op->link, 0, sizeof(op->link));
    if (op->home == lane->loop) {
        enqueue(lane, op);
    } else {
        memset(&op->task, 0, sizeof(op->task));
        op->task.run = on_arrival;
        pl_loop_post(lane->loop, &op->task);
    }
    return 0;
}

void pl_op_end_overloaded(pl_op_t *op)
{
    assert(op->lane == NULL && pl_loop_current() != NULL);
    memset(&op->task, 0, sizeof(op->task));
    op->error = PL_ERROR_OVERLOADED;
    op->task.run = run_on_done;
    pl_loop_post(pl_loop_current(), &op->task);
}

bool pl_lane_is_connected(const pl_lane_t *lane)
{
    return atomic_load_explicit(&lane->connected, memory_order_relaxed);
}

size_t pl_lane_length(const pl_lane_t *lane)
{
    return atomic_load_explicit(&lane->length, memory_order_relaxed);
}

pl_loop_t *pl_lane_loop(const pl_lane_t *lane)
{
    return lane->loop;
}
