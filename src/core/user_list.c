#include "core/user_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/memory.h"

typedef struct work {
    pl_flow_t flow;
    pl_visible_reads_t reads;
    pl_user_list_read_t list;
    pl_user_list_done_fn on_done;
    void *owner;
    char emoji[];
} work_t;

static work_t *work_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(work_t, flow, flow);
}

/* ---- visible-reads ---- */

static pl_turn_t read_visible_reads(pl_flow_t *flow)
{
    return pl_flow_read(flow, &work_of(flow)->reads.op);
}

static pl_turn_t judge_visible_reads(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    if (!work->reads.found)
        return pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
    work->list.visible_reads = work->reads.up_to;
    return PL_TURN_NEXT;
}

/* ---- list ---- */

static pl_turn_t read_list(pl_flow_t *flow)
{
    return pl_flow_read(flow, &work_of(flow)->list.op);
}

static pl_turn_t judge_list(pl_flow_t *flow)
{
    enum pl_outcome_code code;

    if (pl_outcome_of_status(work_of(flow)->list.status, &code) != 0)
        code = PL_OUTCOME_FAILED;
    /* Only the actor's own mailbox is read. */
    return pl_flow_end(flow, code == PL_OUTCOME_NO_MAILBOX ? PL_OUTCOME_NO_ACTOR : code);
}

static const pl_step_t group_steps[] = {
    {"visible-reads", read_visible_reads, .judge = judge_visible_reads},
    {"list", read_list, .judge = judge_list},
    {.name = NULL},
};

static const pl_step_t mailbox_steps[] = {
    {"list", read_list, .judge = judge_list},
    {.name = NULL},
};

static void on_end(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    work->on_done(&flow->outcome, work->list.json, work->list.json_len, work->owner);
    free(work->list.json);
    free(work);
}

static const pl_op_kind_t *op_kind(enum pl_user_list_kind kind, bool is_group)
{
    switch (kind) {
    case PL_USER_LIST_MEMBERS:
        break;
    case PL_USER_LIST_RECEIPTS:
        return is_group ? &pl_group_receipts_list_kind : &pl_receipts_list_kind;
    case PL_USER_LIST_REACTIONS:
        return &pl_reactions_list_kind;
    }
    return &pl_group_members_list_kind;
}

pl_flow_t *pl_user_list_start(pl_core_t *core, const pl_user_list_order_t *order,
                              pl_user_list_done_fn on_done, void *owner)
{
    work_t *work = pl_calloc(1, sizeof(*work) + order->emoji_len);
    pl_user_list_read_t *list = &work->list;
    /* Reactions are in every member's copy of the message. */
    bool is_at_group = pl_id_is_group(order->peer_id) && order->kind != PL_USER_LIST_REACTIONS;

    work->on_done = on_done;
    work->owner = owner;
    work->reads.op.kind = &pl_visible_reads_kind;
    work->reads.op.shard = (int)pl_id_shard(order->actor_id);
    work->reads.op.user_id = order->actor_id;
    work->reads.user_id = order->actor_id;
    work->reads.group_id = order->peer_id;
    list->home_id = is_at_group ? order->peer_id : order->actor_id;
    list->other_id = is_at_group ? order->actor_id : order->peer_id;
    list->op.kind = op_kind(order->kind, is_at_group);
    list->op.shard = (int)pl_id_shard(list->home_id);
    list->op.user_id = order->actor_id;
    list->message_id = order->message_id;
    list->after = order->after;
    list->page_size = order->page_size;
    if (order->emoji != NULL) {
        memcpy(work->emoji, order->emoji, order->emoji_len);
        list->emoji = work->emoji;
        list->emoji_len = order->emoji_len;
    }
    pl_flow_start(&work->flow, core, is_at_group ? group_steps : mailbox_steps, on_end);
    return &work->flow;
}
