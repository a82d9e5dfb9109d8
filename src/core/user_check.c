#include "core/user_check.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/mailbox.h"

/* Hash chains of look-ups in flight. */
#define BUCKETS 1024

typedef struct lookup {
    pl_version_read_t read;
    h2o_linklist_t link; /* in its bucket */
    h2o_linklist_t waiting;
    pl_user_checks_t *checks;
} lookup_t;

struct pl_user_checks {
    const pl_cluster_t *cluster;
    pl_known_users_t *known;
    int64_t deadline_ms;
    size_t waiting;
    size_t max_waiting;
    h2o_linklist_t buckets[BUCKETS];
};

pl_user_checks_t *pl_user_checks_create(const pl_cluster_t *cluster, pl_known_users_t *known,
                                        int64_t deadline_s, size_t max_waiting)
{
    pl_user_checks_t *checks = pl_calloc(1, sizeof(*checks));

    checks->cluster = cluster;
    checks->known = known;
    checks->deadline_ms = deadline_s * 1000;
    checks->max_waiting = max_waiting;
    for (size_t i = 0; i < BUCKETS; i++)
        h2o_linklist_init_anchor(&checks->buckets[i]);
    return checks;
}

void pl_user_checks_destroy(pl_user_checks_t **checks)
{
    for (size_t i = 0; i < BUCKETS; i++)
        assert(h2o_linklist_is_empty(&(*checks)->buckets[i]));
    free(*checks);
    *checks = NULL;
}

static h2o_linklist_t *bucket_of(pl_user_checks_t *checks, int64_t user_id)
{
    return &checks->buckets[pl_hash_id(user_id) % BUCKETS];
}

static lookup_t *find(pl_user_checks_t *checks, int64_t user_id)
{
    h2o_linklist_t *bucket = bucket_of(checks, user_id);

    for (h2o_linklist_t *node = bucket->next; node != bucket; node = node->next) {
        lookup_t *lookup = H2O_STRUCT_FROM_MEMBER(lookup_t, link, node);
        if (lookup->read.user_id == user_id)
            return lookup;
    }
    return NULL;
}

/* The check lane does not see users of a shard that has left its database. So a user whom it did
 * not find is looked up in the shard itself. False: that was done already, or the lane is full. */
static bool ask_shard(lookup_t *lookup)
{
    pl_op_t *op = &lookup->read.op;

    if (op->kind == &pl_version_read_kind)
        return false;
    op->kind = &pl_version_read_kind;
    op->user_id = PL_OP_USER_UNKNOWN; /* whoever invents ids has one turn for all of them */
    if (pl_lane_submit(pl_cluster_read_lane(lookup->checks->cluster, op->shard), op) == 0)
        return true;
    op->error = PL_ERROR_OVERLOADED;
    return false;
}

/* The look-up stays in its chain until the last waiting check is answered: checks that start in
 * between queue up. */
static void on_read(pl_op_t *op)
{
    lookup_t *lookup = H2O_STRUCT_FROM_MEMBER(lookup_t, read.op, op);
    bool exists = op->error == PL_OK && lookup->read.found;

    if (op->error == PL_OK && !exists && ask_shard(lookup))
        return;
    if (op->error == PL_ERROR_SQL) {
        pl_log_error("operation-failed", PL_S("statement", op->kind->name),
                     PL_S("sqlstate", op->sqlstate));
    }
    if (exists)
        pl_known_users_add(lookup->checks->known, lookup->read.user_id);
    while (!h2o_linklist_is_empty(&lookup->waiting)) {
        pl_user_check_t *check = H2O_STRUCT_FROM_MEMBER(pl_user_check_t, link,
                                                        lookup->waiting.next);
        h2o_linklist_unlink(&check->link);
        lookup->checks->waiting--;
        check->error = op->error;
        check->exists = exists;
        check->on_done(check);
    }
    h2o_linklist_unlink(&lookup->link);
    free(lookup);
}

/* NULL: the lane is full. */
static lookup_t *start_lookup(pl_user_checks_t *checks, int64_t user_id)
{
    lookup_t *lookup = pl_calloc(1, sizeof(*lookup));
    int shard = (int)pl_id_shard(user_id);

    lookup->checks = checks;
    lookup->read.op.kind = &pl_version_check_kind;
    lookup->read.op.shard = shard;
    lookup->read.op.user_id = user_id;
    lookup->read.op.deadline_ms = (uint64_t)(pl_clock_monotonic_ms() + checks->deadline_ms);
    lookup->read.op.on_done = on_read;
    lookup->read.user_id = user_id;
    h2o_linklist_init_anchor(&lookup->waiting);
    if (pl_lane_submit(pl_cluster_check_lane(checks->cluster, user_id), &lookup->read.op) != 0) {
        free(lookup);
        return NULL;
    }
    h2o_linklist_insert(bucket_of(checks, user_id), &lookup->link);
    return lookup;
}

bool pl_user_check_start(pl_user_checks_t *checks, pl_user_check_t *check)
{
    lookup_t *lookup = find(checks, check->user_id);

    check->error = PL_OK;
    check->exists = false;
    if (lookup != NULL && checks->waiting >= checks->max_waiting) {
        check->error = PL_ERROR_OVERLOADED;
        return true;
    }
    if (lookup == NULL) {
        if (!pl_cluster_can_have_id(checks->cluster, check->user_id))
            return true;
        if (pl_known_users_has(checks->known, check->user_id)) {
            check->exists = true;
            return true;
        }
        if (check->must_not_wait &&
            !pl_lane_is_connected(pl_cluster_check_lane(checks->cluster, check->user_id))) {
            check->error = PL_ERROR_UNAVAILABLE;
            return true;
        }
        lookup = start_lookup(checks, check->user_id);
        if (lookup == NULL) {
            check->error = PL_ERROR_OVERLOADED;
            return true;
        }
    }
    check->link = (h2o_linklist_t){0};
    h2o_linklist_insert(&lookup->waiting, &check->link);
    checks->waiting++;
    return false;
}

void pl_user_check_cancel(pl_user_checks_t *checks, pl_user_check_t *check)
{
    checks->waiting--;
    h2o_linklist_unlink(&check->link);
}
