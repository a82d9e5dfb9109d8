#include "core/message_change.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "core/flow.h"

typedef struct work {
    pl_flow_t flow;
    enum pl_message_change_kind kind;
    pl_message_change_result_t result;
    pl_message_change_done_fn on_done;
    void *owner;
    pl_buffer_t argument;
} work_t;

static work_t *work_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(work_t, flow, flow);
}

/* ---- check-actor ---- */

static pl_turn_t check_actor(pl_flow_t *flow)
{
    return pl_flow_check_actor(flow, work_of(flow)->result.actor_id);
}

/* ---- check-message ---- */

static bool is_reaction(const work_t *work)
{
    return work->kind == PL_MESSAGE_REACTION_ADD || work->kind == PL_MESSAGE_REACTION_REMOVE;
}

/* A reaction is written first in the other user's mailbox. If the other user sent the message, that
 * mailbox may not have its copy yet. So the message is looked up in the actor's mailbox first. */
static pl_turn_t check_message(pl_flow_t *flow)
{
    const work_t *work = work_of(flow);
    const pl_message_change_result_t *result = &work->result;

    if (!is_reaction(work) || pl_id_is_group(result->peer_id))
        return PL_TURN_NEXT;
    return pl_flow_check_message(flow, flow->core->reaction_checks, result->actor_id,
                                 result->peer_id, result->message_id);
}

/* ---- change ---- */

static void take_detail(pl_message_change_result_t *result, const pl_change_t *change)
{
    pl_json_t *detail;
    pl_error_t error;
    const char *reactions;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    if (pl_json_get_int64(detail, "editedTimestamp", &result->edited_us) != 1)
        result->edited_us = 0;
    if (pl_json_get_int64(detail, "deletedTimestamp", &result->deleted_us) != 1)
        result->deleted_us = 0;
    if (pl_json_get_string(detail, "reactions", &reactions, &result->reactions_len) == 1)
        result->reactions = pl_memdup(reactions, result->reactions_len);
    pl_json_free(&detail);
}

static void on_changed(const pl_change_result_t *changed, void *owner)
{
    work_t *work = owner;

    work->flow.outcome = changed->outcome;
    work->result.is_copy_stored = changed->is_complete;
    if (changed->outcome.code == PL_OUTCOME_DONE)
        take_detail(&work->result, changed->change);
    pl_flow_resume(&work->flow, PL_OK);
}

static const char *kind_name(const work_t *work)
{
    bool is_group = pl_id_is_group(work->result.peer_id);

    if (is_reaction(work))
        return is_group ? "group_reaction" : "reaction";
    if (work->kind == PL_MESSAGE_DELETE_FOR_ME)
        return "deletion";
    return is_group ? "group_edit" : "message";
}

static pl_turn_t change(pl_flow_t *flow)
{
    work_t *work = work_of(flow);
    const pl_message_change_result_t *result = &work->result;
    bool is_for_me = work->kind == PL_MESSAGE_DELETE_FOR_ME;
    bool has_follow_up = !is_for_me && !pl_id_is_group(result->peer_id);

    pl_change_flow_start(flow->core,
                         &(pl_change_order_t){
                             .kind = kind_name(work),
                             .mailbox_id = is_for_me ? result->actor_id : result->peer_id,
                             .other_id = has_follow_up ? result->actor_id : 0,
                             .argument = &work->argument,
                         },
                         on_changed, work);
    return PL_TURN_WAIT;
}

static const pl_step_t steps[] = {
    {"check-actor", check_actor, .absent = PL_OUTCOME_NO_ACTOR},
    {"check-message", check_message, .absent = PL_OUTCOME_MESSAGE_NOT_FOUND},
    {"change", .begin = change, .changes = true},
    {.name = NULL},
};

/* ---- the argument ---- */

static void key_id(pl_buffer_t *out, const char *key, int64_t id)
{
    pl_json_key(out, key);
    pl_json_id(out, id);
}

static void key_now(pl_buffer_t *out)
{
    pl_json_key(out, "timestamp");
    pl_json_int64(out, pl_clock_now_us());
}

/* The argument: the message in the changed mailbox's conversation with peerId. A group finds the
 * conversation itself, and needs the acting user. */
static void encode(pl_buffer_t *out, const pl_message_change_order_t *order)
{
    bool is_for_me = order->kind == PL_MESSAGE_DELETE_FOR_ME;
    bool is_group = pl_id_is_group(order->peer_id);

    pl_json_object_begin(out);
    key_id(out, "peerId", is_for_me ? order->peer_id : order->actor_id);
    key_id(out, "messageId", order->message_id);
    key_id(out, "actorId", order->actor_id);
    switch (order->kind) {
    case PL_MESSAGE_EDIT:
        pl_json_key(out, "content");
        pl_json_string(out, order->text, order->text_len);
        if (order->metadata_len > 0) {
            pl_json_key(out, "metadata");
            pl_json_string(out, order->metadata, order->metadata_len);
        }
        break;
    case PL_MESSAGE_REACTION_ADD:
    case PL_MESSAGE_REACTION_REMOVE:
        pl_json_key(out, "emoji");
        pl_json_string(out, order->text, order->text_len);
        pl_json_key(out, "on");
        pl_json_bool(out, order->kind == PL_MESSAGE_REACTION_ADD);
        if (!is_group) {
            pl_json_key(out, "held");
            pl_json_bool(out, true);
        }
        break;
    case PL_MESSAGE_DELETE:
    case PL_MESSAGE_DELETE_FOR_ME:
        break;
    }
    if (order->kind != PL_MESSAGE_REACTION_ADD && order->kind != PL_MESSAGE_REACTION_REMOVE)
        key_now(out);
    pl_json_object_end(out);
}

static void on_end(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    work->result.outcome = flow->outcome;
    work->on_done(&work->result, work->owner);
    free(work->result.reactions);
    pl_buffer_dispose(&work->argument);
    free(work);
}

void pl_message_change_start(pl_core_t *core, const pl_message_change_order_t *order,
                             pl_message_change_done_fn on_done, void *owner)
{
    work_t *work = pl_calloc(1, sizeof(*work));

    work->kind = order->kind;
    work->result.actor_id = order->actor_id;
    work->result.peer_id = order->peer_id;
    work->result.message_id = order->message_id;
    work->on_done = on_done;
    work->owner = owner;
    encode(&work->argument, order);
    pl_flow_start(&work->flow, core, steps, on_end);
}
