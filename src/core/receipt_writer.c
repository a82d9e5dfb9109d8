/*
 * A conversation that is being written, or was written in the last second, has a turn:
 *
 *   (none) --receipt--> WRITING --second over--> WRITING (late) --written--> (none)
 *                          `-----written-------> RESTING --second over-----> (none)
 *
 * If receipts wait when the turn would end, it is WRITING again. A user's cursors have a turn of
 * their own.
 */
#include "core/receipt_writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "core/change_flow.h"

/* Hash chains of turns. */
#define BUCKETS 4096
/* Turns of one loop, some 200 bytes each: more than the change lane can write in a second. */
#define TURNS_MAX 32768
/* Receipts of one conversation that wait for the next write. No client needs more in a second. */
#define WAITING_MAX 64
/* Users whose cursors are remembered, 1 MiB. A forgotten user costs one more write. */
#define KNOWN_CURSORS 65536

/* A cursor that a user's clients have reached, and that is written. */
typedef struct known_cursor {
    int64_t user_id;
    int64_t version;
} known_cursor_t;

typedef struct pl_receipt_turns {
    pl_receipt_writer_t *writer;
    pl_core_t *core;            /* NULL: the loop has not started */
    pl_timer_queue_t *interval; /* of PL_RECEIPT_INTERVAL_MS */
    pl_loop_t *loop;
    size_t count;
    h2o_linklist_t buckets[BUCKETS];
} pl_receipt_turns_t;

struct pl_receipt_writer {
    pthread_mutex_t known_lock; /* held during a look-up of one slot */
    known_cursor_t known[KNOWN_CURSORS];
    size_t loops_count;
    pl_receipt_turns_t *turns; /* for each loop */
};

typedef struct turn {
    h2o_linklist_t link; /* in its bucket */
    pl_receipt_turns_t *turns;
    int64_t user_id;
    int64_t peer_id;  /* 0: these are the user's cursors */
    pl_timer_t timer; /* armed: the second since the last write began is not over */
    bool is_writing;
    /* The waiting watermarks; 0: none. */
    int64_t read_up_to;
    int64_t delivered_up_to; /* with cursors: a version */
    h2o_linklist_t waiting;  /* receipts */
    size_t waiting_count;
    h2o_linklist_t written; /* receipts of the write that is on its way */
} turn_t;

/* A cursor on its way to its loop. */
typedef struct note {
    pl_task_t task;
    pl_receipt_turns_t *turns;
    int64_t user_id;
    int64_t version;
} note_t;

static struct {
    pl_counter_t accepted;
    pl_counter_t coalesced;
    pl_counter_t written;
    pl_counter_t cursors_known;
    pl_counter_t cursors_coalesced;
    pl_counter_t cursors_written;
    pl_counter_t cursors_dropped;
} counters;

void pl_receipt_writer_metrics_init(void)
{
    static const char receipts[] = "parley_receipts_total";
    static const char receipts_help[] = "Receipts from clients (accepted), those of them that "
                                        "waited to share a write (coalesced), and writes.";
    static const char cursors[] = "parley_delivered_cursors_total";
    static const char cursors_help[] = "Cursors that clients presented, by what became of them: "
                                       "what they say was known, they were superseded before "
                                       "their write (coalesced), written, or dropped.";

    counters.accepted = pl_counter_register(receipts, receipts_help, "result=\"accepted\"");
    counters.coalesced = pl_counter_register(receipts, receipts_help, "result=\"coalesced\"");
    counters.written = pl_counter_register(receipts, receipts_help, "result=\"written\"");
    counters.cursors_known = pl_counter_register(cursors, cursors_help, "result=\"known\"");
    counters.cursors_coalesced = pl_counter_register(cursors, cursors_help, "result=\"coalesced\"");
    counters.cursors_written = pl_counter_register(cursors, cursors_help, "result=\"written\"");
    counters.cursors_dropped = pl_counter_register(cursors, cursors_help, "result=\"dropped\"");
}

static int64_t max_int64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- known cursors ---- */

static known_cursor_t *slot_of(pl_receipt_writer_t *writer, int64_t user_id)
{
    return &writer->known[pl_hash_id(user_id) % KNOWN_CURSORS];
}

static bool is_known(pl_receipt_writer_t *writer, int64_t user_id, int64_t version)
{
    const known_cursor_t *slot = slot_of(writer, user_id);

    pthread_mutex_lock(&writer->known_lock);
    bool known = slot->user_id == user_id && slot->version >= version;
    pthread_mutex_unlock(&writer->known_lock);
    return known;
}

static void remember(pl_receipt_writer_t *writer, int64_t user_id, int64_t version)
{
    known_cursor_t *slot = slot_of(writer, user_id);

    pthread_mutex_lock(&writer->known_lock);
    *slot = (known_cursor_t){user_id, version};
    pthread_mutex_unlock(&writer->known_lock);
}

/* ---- the end of a receipt: on the loop that submitted it ---- */

static void on_returned(pl_task_t *task)
{
    pl_receipt_t *receipt = H2O_STRUCT_FROM_MEMBER(pl_receipt_t, task, task);
    receipt->on_done(receipt);
}

static void give_back(pl_receipt_t *receipt, const pl_outcome_t *outcome)
{
    receipt->outcome = *outcome;
    receipt->task = (pl_task_t){.run = on_returned};
    pl_loop_post(receipt->home, &receipt->task);
}

/* ---- turns: on their loop ---- */

static h2o_linklist_t *bucket_of(pl_receipt_turns_t *turns, int64_t user_id, int64_t peer_id)
{
    return &turns
                ->buckets[pl_hash_id((int64_t)(pl_hash_id(user_id) ^ (uint64_t)peer_id)) % BUCKETS];
}

static turn_t *find_turn(pl_receipt_turns_t *turns, int64_t user_id, int64_t peer_id)
{
    h2o_linklist_t *bucket = bucket_of(turns, user_id, peer_id);

    for (h2o_linklist_t *node = bucket->next; node != bucket; node = node->next) {
        turn_t *turn = H2O_STRUCT_FROM_MEMBER(turn_t, link, node);
        if (turn->user_id == user_id && turn->peer_id == peer_id)
            return turn;
    }
    return NULL;
}

static void on_second_over(pl_timer_t *timer);

static turn_t *create_turn(pl_receipt_turns_t *turns, int64_t user_id, int64_t peer_id)
{
    turn_t *turn = pl_calloc(1, sizeof(*turn));

    turn->turns = turns;
    turn->user_id = user_id;
    turn->peer_id = peer_id;
    turn->timer.on_fire = on_second_over;
    h2o_linklist_init_anchor(&turn->waiting);
    h2o_linklist_init_anchor(&turn->written);
    h2o_linklist_insert(bucket_of(turns, user_id, peer_id), &turn->link);
    turns->count++;
    return turn;
}

/* NULL: there are too many. */
static turn_t *take_turn(pl_receipt_turns_t *turns, int64_t user_id, int64_t peer_id)
{
    turn_t *turn = find_turn(turns, user_id, peer_id);

    if (turn != NULL || turns->core == NULL || turns->count == TURNS_MAX)
        return turn;
    return create_turn(turns, user_id, peer_id);
}

static void destroy_turn(turn_t *turn)
{
    turn->turns->count--;
    h2o_linklist_unlink(&turn->link);
    free(turn);
}

static void encode(pl_buffer_t *out, const turn_t *turn)
{
    pl_json_object_begin(out);
    if (turn->peer_id == 0) {
        pl_json_key(out, "version");
        pl_json_id(out, turn->delivered_up_to);
    } else {
        pl_json_key(out, "peerId");
        pl_json_id(out, turn->peer_id);
        pl_json_key(out, "readUpTo");
        pl_json_id(out, turn->read_up_to);
        pl_json_key(out, "deliveredUpTo");
        pl_json_id(out, turn->delivered_up_to);
    }
    pl_json_object_end(out);
}

static void on_written(const pl_change_result_t *result, void *owner);

static void write_turn(turn_t *turn)
{
    pl_receipt_turns_t *turns = turn->turns;
    bool is_cursor = turn->peer_id == 0;
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    encode(&argument, turn);
    turn->is_writing = true;
    turn->read_up_to = 0;
    turn->delivered_up_to = 0;
    h2o_linklist_insert_list(&turn->written, &turn->waiting);
    turn->waiting_count = 0;
    pl_counter_add(is_cursor ? counters.cursors_written : counters.written, 1);
    pl_timer_arm(turns->interval, &turn->timer);
    pl_change_flow_start(turns->core,
                         &(pl_change_order_t){
                             .kind = is_cursor ? "delivered" : "receipt",
                             .mailbox_id = turn->user_id,
                             .other_id = turn->peer_id,
                             .argument = &argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_written, turn);
}

/* Nobody waits for the write of a cursor, so it is delayed while the lane is busy. */
static bool must_yield(const turn_t *turn)
{
    const pl_core_deps_t *deps = &turn->turns->core->deps;

    return turn->peer_id == 0 &&
           pl_lane_length(pl_cluster_change_lane(deps->cluster, turn->user_id)) >
               (size_t)deps->config->lanes.batch_size;
}

/* Writes the waiting watermarks, if the second is over. */
static void go_on(turn_t *turn)
{
    if (turn->is_writing || pl_timer_is_armed(&turn->timer))
        return;
    if (turn->read_up_to == 0 && turn->delivered_up_to == 0)
        destroy_turn(turn);
    else if (must_yield(turn))
        pl_timer_arm(turn->turns->interval, &turn->timer);
    else
        write_turn(turn);
}

static void on_second_over(pl_timer_t *timer)
{
    go_on(H2O_STRUCT_FROM_MEMBER(turn_t, timer, timer));
}

/* If the mailbox has more to write than one write does, the next write continues. */
static void end_cursor(turn_t *turn, const pl_change_result_t *result)
{
    const pl_change_t *change = result->change;
    pl_json_t *detail;
    pl_error_t error;
    int64_t up_to, rest;

    if (change->op.error != PL_OK)
        pl_counter_add(counters.cursors_dropped, 1);
    if (result->outcome.code != PL_OUTCOME_DONE ||
        pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    if (pl_json_get_int64(detail, "upTo", &up_to) == 1)
        remember(turn->turns->writer, turn->user_id, up_to);
    if (pl_json_get_int64(detail, "rest", &rest) == 1)
        turn->delivered_up_to = max_int64(turn->delivered_up_to, rest);
    pl_json_free(&detail);
}

static void on_written(const pl_change_result_t *result, void *owner)
{
    turn_t *turn = owner;
    pl_outcome_t outcome = result->outcome;

    if (turn->peer_id == 0) {
        pl_outcome_log(&result->outcome, "cursor", NULL);
        end_cursor(turn, result);
    }
    while (!h2o_linklist_is_empty(&turn->written)) {
        pl_receipt_t *receipt = H2O_STRUCT_FROM_MEMBER(pl_receipt_t, link, turn->written.next);
        h2o_linklist_unlink(&receipt->link);
        give_back(receipt, &outcome);
        outcome.is_logged = true; /* a failed write is logged once, with the first request */
    }
    turn->is_writing = false;
    go_on(turn);
}

static void on_submitted(pl_task_t *task)
{
    pl_receipt_t *receipt = H2O_STRUCT_FROM_MEMBER(pl_receipt_t, task, task);
    turn_t *turn = take_turn(receipt->turns, receipt->user_id, receipt->peer_id);

    if (turn == NULL) {
        give_back(receipt, &(pl_outcome_t){.code = PL_OUTCOME_OVERLOADED});
        return;
    }
    if (turn->waiting_count == WAITING_MAX) {
        give_back(receipt, &(pl_outcome_t){.code = PL_OUTCOME_TOO_MANY_RECEIPTS});
        return;
    }
    pl_counter_add(counters.accepted, 1);
    if (turn->is_writing || pl_timer_is_armed(&turn->timer))
        pl_counter_add(counters.coalesced, 1);
    turn->read_up_to = max_int64(turn->read_up_to, receipt->read_up_to);
    turn->delivered_up_to = max_int64(turn->delivered_up_to, receipt->delivered_up_to);
    receipt->link = (h2o_linklist_t){0};
    h2o_linklist_insert(&turn->waiting, &receipt->link);
    turn->waiting_count++;
    go_on(turn);
}

static void on_noted(pl_task_t *task)
{
    note_t *note = H2O_STRUCT_FROM_MEMBER(note_t, task, task);
    turn_t *turn = take_turn(note->turns, note->user_id, 0);

    if (turn == NULL) {
        pl_counter_add(counters.cursors_dropped, 1);
    } else {
        if (turn->delivered_up_to > 0)
            pl_counter_add(counters.cursors_coalesced, 1);
        turn->delivered_up_to = max_int64(turn->delivered_up_to, note->version);
        go_on(turn);
    }
    free(note);
}

/* ---- from other loops ---- */

static pl_receipt_turns_t *turns_of(pl_receipt_writer_t *writer, int64_t user_id, int64_t peer_id)
{
    uint64_t hash = pl_hash_id((int64_t)(pl_hash_id(peer_id) ^ (uint64_t)user_id));
    return &writer->turns[hash % writer->loops_count];
}

pl_receipt_writer_t *pl_receipt_writer_create(pl_loop_t *const *loops, size_t loops_count)
{
    pl_receipt_writer_t *writer = pl_calloc(1, sizeof(*writer));

    pthread_mutex_init(&writer->known_lock, NULL);
    writer->loops_count = loops_count;
    writer->turns = pl_calloc(loops_count, sizeof(*writer->turns));
    for (size_t i = 0; i < loops_count; i++) {
        writer->turns[i].writer = writer;
        writer->turns[i].loop = loops[i];
        for (size_t j = 0; j < BUCKETS; j++)
            h2o_linklist_init_anchor(&writer->turns[i].buckets[j]);
    }
    return writer;
}

void pl_receipt_writer_join(pl_receipt_writer_t *writer, pl_core_t *core)
{
    pl_receipt_turns_t *turns = &writer->turns[pl_loop_index(core->loop)];

    turns->interval = pl_timer_queue(core->loop, PL_RECEIPT_INTERVAL_MS);
    turns->core = core;
}

void pl_receipt_writer_submit(pl_receipt_writer_t *writer, pl_receipt_t *receipt)
{
    receipt->home = pl_loop_current();
    receipt->turns = turns_of(writer, receipt->user_id, receipt->peer_id);
    receipt->task = (pl_task_t){.run = on_submitted};
    pl_loop_post(receipt->turns->loop, &receipt->task);
}

void pl_receipt_writer_note_cursor(pl_receipt_writer_t *writer, int64_t user_id, int64_t version)
{
    if (is_known(writer, user_id, version)) {
        pl_counter_add(counters.cursors_known, 1);
        return;
    }
    note_t *note = pl_malloc(sizeof(*note));
    *note = (note_t){.task = {.run = on_noted},
                     .turns = turns_of(writer, user_id, 0),
                     .user_id = user_id,
                     .version = version};
    pl_loop_post(note->turns->loop, &note->task);
}
