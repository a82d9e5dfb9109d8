#include "core/users_fetch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/memory.h"
#include "core/known_users.h"

/* The users whom one database has. */
typedef struct part {
    pl_users_read_t read;
    struct fetch *fetch;
    struct part *next;
    size_t places[PL_USERS_READ_MAX]; /* of its users in the order asked */
} part_t;

typedef struct fetch {
    pl_flow_t flow;
    pl_users_done_fn on_done;
    void *owner;
    part_t *parts;
    size_t open;                        /* parts without an answer */
    pl_op_t *failed;                    /* a read that has failed, or NULL */
    size_t count;                       /* of the ids asked for */
    pl_user_t users[PL_USERS_READ_MAX]; /* by place; user_id 0: not found */
} fetch_t;

static fetch_t *fetch_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(fetch_t, flow, flow);
}

/* ---- accounts ---- */

static void on_read(pl_op_t *op)
{
    fetch_t *fetch = H2O_STRUCT_FROM_MEMBER(part_t, read.op, op)->fetch;

    if (op->error != PL_OK)
        fetch->failed = op;
    if (--fetch->open > 0)
        return;
    fetch->flow.op = fetch->failed;
    pl_flow_resume(&fetch->flow, fetch->failed != NULL ? fetch->failed->error : PL_OK);
}

static void abandon_parts(pl_flow_t *flow)
{
    for (part_t *part = fetch_of(flow)->parts; part != NULL; part = part->next)
        part->read.op.abandoned = true;
}

static pl_turn_t read_accounts(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    const pl_cluster_t *cluster = flow->core->deps.cluster;

    if (fetch->parts == NULL)
        return PL_TURN_NEXT;
    for (part_t *part = fetch->parts; part != NULL; part = part->next) {
        pl_op_t *op = &part->read.op;
        op->on_done = on_read;
        op->deadline_ms = flow->deadline_ms;
        fetch->open++;
        if (pl_lane_submit(pl_cluster_read_lane(cluster, op->shard), op) != 0)
            pl_op_end_overloaded(op);
    }
    flow->abandon_reads = abandon_parts;
    return PL_TURN_WAIT;
}

static void place_users(fetch_t *fetch, const part_t *part)
{
    const pl_users_read_t *read = &part->read;

    for (size_t i = 0; i < pl_users_read_length(read); i++) {
        pl_user_t user;
        size_t at = 0;

        pl_users_read_get(read, i, &user);
        while (at < read->count && read->user_ids[at] != user.account.user_id)
            at++;
        assert(at < read->count);
        fetch->users[part->places[at]] = user;
        if (user.deleted_us == 0)
            pl_known_users_add(fetch->flow.core->known_users, user.account.user_id);
    }
}

static pl_turn_t judge_accounts(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);

    for (const part_t *part = fetch->parts; part != NULL; part = part->next)
        place_users(fetch, part);
    return PL_TURN_END;
}

static const pl_step_t steps[] = {
    {"accounts", read_accounts, .judge = judge_accounts},
    {.name = NULL},
};

/* ---- start and end ---- */

static void fetch_destroy(fetch_t *fetch)
{
    while (fetch->parts != NULL) {
        part_t *part = fetch->parts;
        fetch->parts = part->next;
        pl_users_read_dispose(&part->read);
        free(part);
    }
    free(fetch);
}

static void on_end(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    pl_users_result_t result = {.outcome = flow->outcome};

    for (size_t i = 0; i < fetch->count; i++)
        if (fetch->users[i].account.user_id != 0)
            result.users[result.count++] = fetch->users[i];
    fetch->on_done(&result, fetch->owner);
    fetch_destroy(fetch);
}

static part_t *part_of(fetch_t *fetch, const pl_cluster_t *cluster, int64_t user_id)
{
    part_t *part = fetch->parts;

    while (part != NULL && !pl_cluster_share_database(cluster, part->read.user_ids[0], user_id))
        part = part->next;
    if (part != NULL)
        return part;
    part = pl_calloc(1, sizeof(*part));
    part->read.op.kind = &pl_users_in_shard_kind;
    part->read.op.shard = (int)pl_id_shard(user_id);
    part->fetch = fetch;
    part->next = fetch->parts;
    fetch->parts = part;
    return part;
}

static void add(part_t *part, int64_t user_id, size_t place)
{
    pl_users_read_t *read = &part->read;

    if ((int)pl_id_shard(user_id) != read->op.shard)
        read->op.kind = &pl_users_in_database_kind;
    read->op.weight++;
    part->places[read->count] = place;
    read->user_ids[read->count++] = user_id;
}

pl_flow_t *pl_users_fetch_start(pl_core_t *core, int64_t caller_id, const int64_t *user_ids,
                                size_t count, pl_users_done_fn on_done, void *owner)
{
    const pl_cluster_t *cluster = core->deps.cluster;
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));

    assert(count <= PL_USERS_READ_MAX);
    fetch->on_done = on_done;
    fetch->owner = owner;
    fetch->count = count;
    for (size_t i = 0; i < count; i++)
        if (pl_cluster_can_have_id(cluster, user_ids[i]))
            add(part_of(fetch, cluster, user_ids[i]), user_ids[i], i);
    for (part_t *part = fetch->parts; part != NULL; part = part->next)
        part->read.op.user_id = caller_id;
    pl_flow_start(&fetch->flow, core, steps, on_end);
    return &fetch->flow;
}
