#include "core/reply_check.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/message_check.h"

/* Hash chains of checks that wait. */
#define BUCKETS 1024

typedef struct pl_reply_lookup {
    pl_message_check_t read;
    pl_reply_checks_t *checks;
    pl_reply_check_t *check; /* NULL: the check no longer waits */
} lookup_t;

struct pl_reply_checks {
    const pl_cluster_t *cluster;
    pl_timer_queue_t *timeouts;
    int64_t deadline_ms;
    size_t waiting;
    size_t max_waiting;
    h2o_linklist_t buckets[BUCKETS]; /* in the order of their start */
};

pl_reply_checks_t *pl_reply_checks_create(const pl_cluster_t *cluster, pl_timer_queue_t *timeouts,
                                          int64_t deadline_s, size_t max_waiting)
{
    pl_reply_checks_t *checks = pl_calloc(1, sizeof(*checks));

    checks->cluster = cluster;
    checks->timeouts = timeouts;
    checks->deadline_ms = deadline_s * 1000;
    checks->max_waiting = max_waiting;
    for (size_t i = 0; i < BUCKETS; i++)
        h2o_linklist_init_anchor(&checks->buckets[i]);
    return checks;
}

void pl_reply_checks_destroy(pl_reply_checks_t **checks)
{
    assert((*checks)->waiting == 0);
    free(*checks);
    *checks = NULL;
}

/* ---- waiting checks ---- */

static h2o_linklist_t *bucket_of(pl_reply_checks_t *checks, int64_t sender_id, int64_t recipient_id)
{
    uint64_t hash = pl_hash64_continue(pl_hash64(&sender_id, sizeof(sender_id)), &recipient_id,
                                       sizeof(recipient_id));
    return &checks->buckets[hash % BUCKETS];
}

/* The check of the pair that has waited longest; NULL: none waits. */
static pl_reply_check_t *oldest_of(pl_reply_checks_t *checks, int64_t sender_id,
                                   int64_t recipient_id)
{
    h2o_linklist_t *bucket = bucket_of(checks, sender_id, recipient_id);

    for (h2o_linklist_t *node = bucket->next; node != bucket; node = node->next) {
        pl_reply_check_t *check = H2O_STRUCT_FROM_MEMBER(pl_reply_check_t, link, node);
        if (check->sender_id == sender_id && check->recipient_id == recipient_id)
            return check;
    }
    return NULL;
}

static void wait_in_line(pl_reply_checks_t *checks, pl_reply_check_t *check)
{
    check->link = (h2o_linklist_t){0};
    h2o_linklist_insert(bucket_of(checks, check->sender_id, check->recipient_id), &check->link);
    checks->waiting++;
}

/* Ends the check, and all resolved checks of the pair that are now the oldest. */
static void resolve(pl_reply_checks_t *checks, pl_reply_check_t *check, enum pl_error_code error,
                    bool exists)
{
    int64_t sender_id = check->sender_id, recipient_id = check->recipient_id;

    pl_timer_disarm(&check->timeout);
    check->lookup = NULL;
    check->error = error;
    check->exists = exists;
    check->is_resolved = true;
    while ((check = oldest_of(checks, sender_id, recipient_id)) != NULL && check->is_resolved) {
        h2o_linklist_unlink(&check->link);
        checks->waiting--;
        check->on_done(check);
    }
}

/* ---- reading ---- */

/* -1: the lane is full. */
static int ask(lookup_t *lookup, int64_t mailbox_id, int64_t peer_id)
{
    pl_message_check_t *read = &lookup->read;

    read->mailbox_id = mailbox_id;
    read->peer_id = peer_id;
    read->op.shard = (int)pl_id_shard(mailbox_id);
    read->op.user_id = mailbox_id;
    return pl_lane_submit(pl_cluster_read_lane(lookup->checks->cluster, read->op.shard), &read->op);
}

/* The direction bit of the id says which of the two users sent the message. */
static bool is_own(const pl_reply_check_t *check)
{
    return (check->message_id & 1) == (check->sender_id > check->recipient_id);
}

static void on_read(pl_op_t *op)
{
    lookup_t *lookup = H2O_STRUCT_FROM_MEMBER(lookup_t, read.op, op);
    pl_reply_check_t *check = lookup->check;
    enum pl_error_code error = PL_OK;

    if (op->error == PL_ERROR_SQL)
        pl_log_error("operation-failed", PL_S("statement", op->kind->name),
                     PL_S("sqlstate", op->sqlstate));
    if (check != NULL && op->error == PL_OK && !lookup->read.found && is_own(check) &&
        lookup->read.mailbox_id == check->sender_id && check->recipient_id != check->sender_id) {
        if (ask(lookup, check->recipient_id, check->sender_id) == 0)
            return;
        error = PL_ERROR_OVERLOADED;
    }
    if (check != NULL)
        resolve(lookup->checks, check, error, op->error != PL_OK || lookup->read.found);
    free(lookup);
}

static void on_timeout(pl_timer_t *timer)
{
    pl_reply_check_t *check = H2O_STRUCT_FROM_MEMBER(pl_reply_check_t, timeout, timer);
    pl_reply_checks_t *checks = check->lookup->checks;

    check->lookup->check = NULL;
    resolve(checks, check, PL_OK, true);
}

/* -1: the lane is full. */
static int start_lookup(pl_reply_checks_t *checks, pl_reply_check_t *check)
{
    lookup_t *lookup = pl_calloc(1, sizeof(*lookup));

    lookup->checks = checks;
    lookup->check = check;
    lookup->read.op.kind = &pl_message_check_kind;
    lookup->read.op.deadline_ms = (uint64_t)(pl_clock_monotonic_ms() + checks->deadline_ms);
    lookup->read.op.on_done = on_read;
    lookup->read.message_id = check->message_id;
    if (ask(lookup, check->sender_id, check->recipient_id) != 0) {
        free(lookup);
        return -1;
    }
    check->lookup = lookup;
    check->timeout.on_fire = on_timeout;
    pl_timer_arm(checks->timeouts, &check->timeout);
    return 0;
}

static bool can_ask(const pl_reply_checks_t *checks, int64_t sender_id)
{
    return pl_lane_is_connected(pl_cluster_read_lane(checks->cluster, (int)pl_id_shard(sender_id)));
}

bool pl_reply_check_start(pl_reply_checks_t *checks, pl_reply_check_t *check)
{
    bool is_first = checks->waiting == 0 ||
                    oldest_of(checks, check->sender_id, check->recipient_id) == NULL;

    check->error = PL_OK;
    check->exists = true;
    check->is_resolved = check->message_id == 0 || !can_ask(checks, check->sender_id);
    if (check->is_resolved && is_first)
        return true;
    if (checks->waiting >= checks->max_waiting ||
        (!check->is_resolved && start_lookup(checks, check) != 0)) {
        check->error = PL_ERROR_OVERLOADED;
        return true;
    }
    wait_in_line(checks, check);
    return false;
}
