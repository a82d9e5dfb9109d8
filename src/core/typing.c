#include "core/typing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "core/flow.h"
#include "core/typing_limit.h"
#include "push/hub.h"
#include "store/block.h"
#include "store/group.h"

/* Long enough that a client which repeats itself every three seconds may lose one call. */
#define SHOWN_US INT64_C(6000000)

static struct {
    pl_counter_t sent;
    pl_counter_t limited;
    pl_counter_t no_stream;
    pl_counter_t blocked;
} counters;

void pl_typing_metrics_init(void)
{
    static const char name[] = "parley_typing_total";
    static const char help[] = "Calls of sendTyping that were accepted, by what became of them.";

    counters.sent = pl_counter_register(name, help, "result=\"sent\"");
    counters.limited = pl_counter_register(name, help, "result=\"limited\"");
    counters.no_stream = pl_counter_register(name, help, "result=\"no_stream\"");
    counters.blocked = pl_counter_register(name, help, "result=\"blocked\"");
}

typedef struct typing {
    pl_flow_t flow;
    pl_block_check_t block;
    pl_group_members_read_t *group; /* NULL: a 1:1 */
    pl_typing_done_fn on_done;
    void *owner;
    pl_typing_order_t order;
} typing_t;

static typing_t *typing_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(typing_t, flow, flow);
}

static pl_hub_t *hub_of(const typing_t *typing)
{
    return pl_hub_local_hub(typing->flow.core->deps.hub);
}

/* ---- sending the event ---- */

static void encode(pl_buffer_t *out, const typing_t *typing)
{
    pl_json_object_begin(out);
    pl_json_key(out, "type");
    pl_json_text(out, "typing");
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, typing->order.user_id, typing->order.peer_id);
    pl_json_key(out, "userId");
    pl_json_id(out, typing->order.user_id);
    pl_json_key(out, "state");
    pl_json_text(out, typing->order.is_stopped ? "stopped" : "started");
    pl_json_key(out, "expiresTimestamp");
    pl_json_int64(out, pl_clock_now_us() + (typing->order.is_stopped ? 0 : SHOWN_US));
    pl_json_object_end(out);
}

/* Sends the event to the streams of this process. Other servers will be notified from here too. */
static void send_event(const typing_t *typing, const int64_t *others, size_t count)
{
    pl_buffer_t json = PL_BUFFER_EMPTY;

    pl_counter_add(counters.sent, 1);
    encode(&json, typing);
    const pl_event_t event = {.name = "typing", .json = json.data, .len = json.len};
    for (size_t i = 0; i < count; i++)
        if (others[i] != typing->order.user_id)
            pl_hub_send_event(hub_of(typing), others[i], &event);
    pl_buffer_dispose(&json);
}

static bool must_send(const typing_t *typing, const int64_t *others, size_t count)
{
    size_t waiting = 0;

    for (size_t i = 0; i < count; i++)
        waiting += others[i] != typing->order.user_id &&
                   pl_hub_may_have_waiter(hub_of(typing), others[i]);
    if (waiting == 0) {
        pl_counter_add(counters.no_stream, 1);
        return false;
    }
    /* "stopped" has a limit of its own, under a key that no peer has, so that it may follow at
     * once. */
    int64_t limited_as = typing->order.is_stopped ? ~typing->order.peer_id : typing->order.peer_id;
    if (!pl_typing_limit_take(typing->flow.core->deps.typing_limit, typing->order.user_id,
                              limited_as, pl_clock_monotonic_ms())) {
        pl_counter_add(counters.limited, 1);
        return false;
    }
    return true;
}

/* ---- check-user ---- */

static pl_turn_t check_user(pl_flow_t *flow)
{
    return pl_flow_check_user(flow, typing_of(flow)->order.user_id);
}

/* ---- members ---- */

static pl_turn_t read_members(pl_flow_t *flow)
{
    typing_t *typing = typing_of(flow);
    pl_group_members_read_t *group = pl_calloc(1, sizeof(*group));

    typing->group = group;
    group->member_id = typing->order.user_id;
    group->group_id = typing->order.peer_id;
    group->op.kind = &pl_group_members_read_kind;
    group->op.shard = (int)pl_id_shard(typing->order.user_id);
    group->op.user_id = typing->order.user_id;
    return pl_flow_read(flow, &group->op);
}

static pl_turn_t judge_members(pl_flow_t *flow)
{
    const typing_t *typing = typing_of(flow);
    const pl_group_members_read_t *group = typing->group;

    if (group->count == 0)
        return pl_flow_end(flow, PL_OUTCOME_CONVERSATION_NOT_FOUND);
    if (must_send(typing, group->members, group->count))
        send_event(typing, group->members, group->count);
    return PL_TURN_END;
}

/* ---- check-peer, blocks ---- */

static pl_turn_t check_peer(pl_flow_t *flow)
{
    return pl_flow_check_user(flow, typing_of(flow)->order.peer_id);
}

static pl_turn_t judge_peer(pl_flow_t *flow)
{
    const typing_t *typing = typing_of(flow);

    if (!flow->exists)
        return pl_flow_end(flow, PL_OUTCOME_CONVERSATION_NOT_FOUND);
    /* Notes to oneself have no other user. */
    return must_send(typing, &typing->order.peer_id, 1) ? PL_TURN_NEXT : PL_TURN_END;
}

static pl_turn_t read_block(pl_flow_t *flow)
{
    typing_t *typing = typing_of(flow);
    pl_block_check_t *block = &typing->block;

    block->user_id = typing->order.peer_id;
    block->other_id = typing->order.user_id;
    block->op.kind = &pl_block_check_kind;
    block->op.shard = (int)pl_id_shard(typing->order.peer_id);
    block->op.user_id = typing->order.user_id;
    return pl_flow_read(flow, &block->op);
}

/* A blocked user gets the same answer as others. */
static pl_turn_t judge_block(pl_flow_t *flow)
{
    const typing_t *typing = typing_of(flow);

    if (typing->block.is_blocked)
        pl_counter_add(counters.blocked, 1);
    else
        send_event(typing, &typing->order.peer_id, 1);
    return PL_TURN_END;
}

static const pl_step_t group_steps[] = {
    {"check-user", check_user, .absent = PL_OUTCOME_NO_ACTOR},
    {"members", read_members, .judge = judge_members},
    {.name = NULL},
};

static const pl_step_t direct_steps[] = {
    {"check-user", check_user, .absent = PL_OUTCOME_NO_ACTOR},
    {"check-peer", check_peer, .judge = judge_peer},
    {"blocks", read_block, .judge = judge_block},
    {.name = NULL},
};

static void on_end(pl_flow_t *flow)
{
    typing_t *typing = typing_of(flow);

    typing->on_done(&flow->outcome, typing->owner);
    free(typing->group);
    free(typing);
}

void pl_typing_start(pl_core_t *core, const pl_typing_order_t *order, pl_typing_done_fn on_done,
                     void *owner)
{
    typing_t *typing = pl_calloc(1, sizeof(*typing));

    typing->order = *order;
    typing->on_done = on_done;
    typing->owner = owner;
    pl_flow_start(&typing->flow, core, pl_id_is_group(order->peer_id) ? group_steps : direct_steps,
                  on_end);
}
