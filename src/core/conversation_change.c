#include "core/conversation_change.h"

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
    pl_conversation_settings_t asked;
    pl_conversation_result_t result;
    pl_conversation_done_fn on_done;
    void *owner;
} work_t;

static void key_flag(pl_buffer_t *out, const char *key, enum pl_tristate value)
{
    if (value == PL_UNSET)
        return;
    pl_json_key(out, key);
    pl_json_bool(out, value == PL_TRUE);
}

static enum pl_tristate flag_of(const pl_json_t *json, const char *key)
{
    bool value;

    if (pl_json_get_bool(json, key, &value) != 1)
        return PL_UNSET;
    return value ? PL_TRUE : PL_FALSE;
}

static void take_detail(pl_conversation_settings_t *settings, const pl_change_t *change)
{
    pl_json_t *detail;
    pl_error_t error;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    if (pl_json_get_int64(detail, "mutedUntil", &settings->muted_until) != 1)
        settings->muted_until = -1;
    settings->archived = flag_of(detail, "archived");
    settings->pinned = flag_of(detail, "pinned");
    settings->marked_unread = flag_of(detail, "markedUnread");
    pl_json_free(&detail);
}

static work_t *work_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(work_t, flow, flow);
}

static void on_changed(const pl_change_result_t *changed, void *owner)
{
    work_t *work = owner;

    work->flow.outcome = changed->outcome;
    if (changed->outcome.code == PL_OUTCOME_DONE)
        take_detail(&work->result.settings, changed->change);
    pl_flow_resume(&work->flow, PL_OK);
}

static pl_turn_t start_change(work_t *work, const char *kind, pl_buffer_t *argument)
{
    pl_change_flow_start(work->flow.core,
                         &(pl_change_order_t){
                             .kind = kind,
                             .mailbox_id = work->result.user_id,
                             .argument = argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_changed, work);
    return PL_TURN_WAIT;
}

static void begin_argument(pl_buffer_t *out, const work_t *work)
{
    pl_json_object_begin(out);
    pl_json_key(out, "peerId");
    pl_json_id(out, work->result.peer_id);
}

/* ---- updateConversation ---- */

static pl_turn_t change_settings(work_t *work, bool creates)
{
    const pl_conversation_settings_t *settings = &work->asked;
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    begin_argument(&argument, work);
    if (settings->muted_until >= 0) {
        pl_json_key(&argument, "mutedUntil");
        pl_json_int64(&argument, settings->muted_until);
    }
    key_flag(&argument, "archived", settings->archived);
    key_flag(&argument, "pinned", settings->pinned);
    key_flag(&argument, "markedUnread", settings->marked_unread);
    if (creates)
        key_flag(&argument, "creates", PL_TRUE);
    pl_json_object_end(&argument);
    return start_change(work, "settings", &argument);
}

static pl_turn_t change(pl_flow_t *flow)
{
    return change_settings(work_of(flow), false);
}

/* A user may change the settings of a 1:1 before its first message. */
static pl_turn_t judge_change(pl_flow_t *flow)
{
    if (flow->outcome.code != PL_OUTCOME_CONVERSATION_NOT_FOUND ||
        pl_id_is_group(work_of(flow)->result.peer_id))
        return PL_TURN_END;
    return PL_TURN_NEXT;
}

static pl_turn_t check_peer(pl_flow_t *flow)
{
    return pl_flow_check_user(flow, work_of(flow)->result.peer_id);
}

static pl_turn_t create(pl_flow_t *flow)
{
    return change_settings(work_of(flow), true);
}

static const pl_step_t update_steps[] = {
    {"change", change, .judge = judge_change, .changes = true},
    {"check-peer", check_peer, .absent = PL_OUTCOME_CONVERSATION_NOT_FOUND},
    {"create", .begin = create, .changes = true},
    {.name = NULL},
};

/* ---- deleteConversation ---- */

static pl_turn_t clear(pl_flow_t *flow)
{
    work_t *work = work_of(flow);
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    begin_argument(&argument, work);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    pl_json_object_end(&argument);
    return start_change(work, "clear", &argument);
}

static const pl_step_t delete_steps[] = {
    {"clear", .begin = clear, .changes = true},
    {.name = NULL},
};

/* ---- the whole ---- */

static void on_end(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    work->result.outcome = flow->outcome;
    work->on_done(&work->result, work->owner);
    free(work);
}

static work_t *work_create(int64_t user_id, int64_t peer_id, pl_conversation_done_fn on_done,
                           void *owner)
{
    work_t *work = pl_calloc(1, sizeof(*work));

    work->result.user_id = user_id;
    work->result.peer_id = peer_id;
    work->result.settings.muted_until = -1;
    work->on_done = on_done;
    work->owner = owner;
    return work;
}

void pl_conversation_update_start(pl_core_t *core, int64_t user_id, int64_t peer_id,
                                  const pl_conversation_settings_t *settings,
                                  pl_conversation_done_fn on_done, void *owner)
{
    work_t *work = work_create(user_id, peer_id, on_done, owner);

    work->asked = *settings;
    pl_flow_start(&work->flow, core, update_steps, on_end);
}

void pl_conversation_delete_start(pl_core_t *core, int64_t user_id, int64_t peer_id,
                                  pl_conversation_done_fn on_done, void *owner)
{
    pl_flow_start(&work_create(user_id, peer_id, on_done, owner)->flow, core, delete_steps, on_end);
}
