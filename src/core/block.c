#include "core/block.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "push/presence.h"

/* ---- blockUser, unblockUser ---- */

typedef struct blocking {
    pl_flow_t flow;
    int64_t user_id;
    int64_t other_id;
    bool is_blocked;
    pl_block_done_fn on_done;
    void *owner;
} blocking_t;

static blocking_t *blocking_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(blocking_t, flow, flow);
}

static pl_turn_t check_other(pl_flow_t *flow)
{
    const blocking_t *blocking = blocking_of(flow);
    return blocking->is_blocked ? pl_flow_check_user(flow, blocking->other_id) : PL_TURN_NEXT;
}

static void on_changed(const pl_change_result_t *changed, void *owner)
{
    blocking_t *blocking = owner;

    blocking->flow.outcome = changed->outcome;
    /* The blocked user no longer sees the blocker's presence. */
    if (changed->outcome.code == PL_OUTCOME_DONE)
        pl_presence_notify_watchers(blocking->flow.core->deps.presence, blocking->user_id);
    pl_flow_resume(&blocking->flow, PL_OK);
}

static pl_turn_t change(pl_flow_t *flow)
{
    blocking_t *blocking = blocking_of(flow);
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    pl_json_object_begin(&argument);
    pl_json_key(&argument, "otherId");
    pl_json_id(&argument, blocking->other_id);
    pl_json_key(&argument, "on");
    pl_json_bool(&argument, blocking->is_blocked);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    pl_json_object_end(&argument);
    pl_change_flow_start(flow->core,
                         &(pl_change_order_t){
                             .kind = "block",
                             .mailbox_id = blocking->user_id,
                             .argument = &argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_changed, blocking);
    return PL_TURN_WAIT;
}

static const pl_step_t block_steps[] = {
    {"check-other", check_other, .absent = PL_OUTCOME_USER_NOT_FOUND},
    {"change", .begin = change, .changes = true},
    {.name = NULL},
};

static void on_blocking_end(pl_flow_t *flow)
{
    blocking_t *blocking = blocking_of(flow);

    blocking->on_done(&flow->outcome, blocking->owner);
    free(blocking);
}

void pl_block_start(pl_core_t *core, int64_t user_id, int64_t other_id, bool is_blocked,
                    pl_block_done_fn on_done, void *owner)
{
    blocking_t *blocking = pl_calloc(1, sizeof(*blocking));

    blocking->user_id = user_id;
    blocking->other_id = other_id;
    blocking->is_blocked = is_blocked;
    blocking->on_done = on_done;
    blocking->owner = owner;
    pl_flow_start(&blocking->flow, core, block_steps, on_blocking_end);
}

/* ---- fetchBlock, fetchBlocks ---- */

typedef struct fetch {
    pl_flow_t flow;
    pl_blocks_read_t read;
    pl_blocks_fetched_fn on_done;
    void *owner;
} fetch_t;

static fetch_t *fetch_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(fetch_t, flow, flow);
}

static pl_turn_t read_blocks(pl_flow_t *flow)
{
    return pl_flow_read(flow, &fetch_of(flow)->read.op);
}

static pl_turn_t judge_blocks(pl_flow_t *flow)
{
    return fetch_of(flow)->read.found ? PL_TURN_END : pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
}

static const pl_step_t fetch_steps[] = {
    {"blocks", read_blocks, .judge = judge_blocks},
    {.name = NULL},
};

static void on_fetch_end(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);

    fetch->on_done(&flow->outcome, &fetch->read, fetch->owner);
    free(fetch);
}

pl_flow_t *pl_blocks_fetch_start(pl_core_t *core, int64_t user_id, int64_t after, int32_t page_size,
                                 pl_blocks_fetched_fn on_done, void *owner)
{
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));

    fetch->read.op.kind = &pl_blocks_read_kind;
    fetch->read.op.shard = (int)pl_id_shard(user_id);
    fetch->read.op.user_id = user_id;
    fetch->read.user_id = user_id;
    fetch->read.after = after;
    fetch->read.page_size = page_size;
    fetch->on_done = on_done;
    fetch->owner = owner;
    pl_flow_start(&fetch->flow, core, fetch_steps, on_fetch_end);
    return &fetch->flow;
}
