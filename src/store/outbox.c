#include "store/outbox.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "loop/timer.h"

/* A call costs one statement per shard, so it collects many entries first. The time is short, so
 * that at most one sweep of the relay sees an entry. */
#define COLLECT_MS 200
/* If the database cannot be reached in this time, the relay settles the entries. */
#define DEADLINE_MS 5000

/* recipient, sender, message; or mailbox, version, ordinal. The first decides the database. */
#define KEY_COLUMNS 3

struct pl_settler {
    pl_loop_t *loop;
    const pl_cluster_t *cluster;
    h2o_linklist_t waiting; /* settle_t's op.link, unused until submitted */
    pl_timer_t timer;
};

typedef struct settle {
    pl_op_t op;
    int64_t key[KEY_COLUMNS];
} settle_t;

static const settle_t *at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(settle_t, op, ops[i]);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    for (int column = 0; column < KEY_COLUMNS; column++) {
        pl_params_int64_array(params, count);
        for (size_t i = 0; i < count; i++)
            pl_params_element_int64(params, at(ops, i)->key[column]);
        pl_params_array_end(params);
    }
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    (void)result;
    (void)ops;
    (void)count;
    return false;
}

static const pl_op_kind_t settle_kind = {
    .name = "settle_outbox",
    .sql = "SELECT parley.settle_outbox($1, $2, $3)",
    .max_ops = SIZE_MAX,
    .encode = encode,
    .decode = decode,
};

static const pl_op_kind_t settle_change_kind = {
    .name = "settle_changes",
    .sql = "SELECT parley.settle_changes($1, $2, $3)",
    .max_ops = SIZE_MAX,
    .encode = encode,
    .decode = decode,
};

static void on_done(pl_op_t *op)
{
    free(H2O_STRUCT_FROM_MEMBER(settle_t, op, op));
}

static void on_timer(pl_timer_t *timer)
{
    pl_settler_t *settler = H2O_STRUCT_FROM_MEMBER(pl_settler_t, timer, timer);

    while (!h2o_linklist_is_empty(&settler->waiting)) {
        settle_t *settle = H2O_STRUCT_FROM_MEMBER(settle_t, op.link, settler->waiting.next);
        h2o_linklist_unlink(&settle->op.link);
        settle->op.user_id = settle->key[0];
        settle->op.deadline_ms = (uint64_t)pl_clock_monotonic_ms() + DEADLINE_MS;
        pl_lane_t *lane = pl_cluster_read_lane(settler->cluster, (int)pl_id_shard(settle->key[0]));
        if (pl_lane_submit(lane, &settle->op) != 0)
            free(settle);
    }
}

pl_settler_t *pl_settler_create(pl_loop_t *loop, const pl_cluster_t *cluster)
{
    pl_settler_t *settler = pl_calloc(1, sizeof(*settler));
    settler->loop = loop;
    settler->cluster = cluster;
    settler->timer.on_fire = on_timer;
    h2o_linklist_init_anchor(&settler->waiting);
    return settler;
}

static void add(pl_settler_t *settler, const pl_op_kind_t *kind, int64_t mailbox_id, int64_t second,
                int64_t third)
{
    settle_t *settle = pl_calloc(1, sizeof(*settle));
    settle->op.kind = kind;
    settle->op.on_done = on_done;
    settle->key[0] = mailbox_id;
    settle->key[1] = second;
    settle->key[2] = third;
    h2o_linklist_insert(&settler->waiting, &settle->op.link);
    if (!pl_timer_is_armed(&settler->timer))
        pl_timer_arm(pl_timer_queue(settler->loop, COLLECT_MS), &settler->timer);
}

void pl_settler_add(pl_settler_t *settler, int64_t recipient_id, int64_t sender_id,
                    int64_t message_id)
{
    add(settler, &settle_kind, recipient_id, sender_id, message_id);
}

void pl_settler_add_follow_up(pl_settler_t *settler, const pl_follow_up_t *follow_up)
{
    add(settler, &settle_change_kind, follow_up->mailbox_id, follow_up->version,
        follow_up->ordinal);
}
