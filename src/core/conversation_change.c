#include "core/conversation_change.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"

typedef struct work {
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

static void on_changed(const pl_change_result_t *changed, void *owner)
{
    work_t *work = owner;

    work->result.outcome = changed->outcome;
    if (changed->outcome.code == PL_OUTCOME_DONE)
        take_detail(&work->result.settings, changed->change);
    work->on_done(&work->result, work->owner);
    free(work);
}

static void begin_argument(pl_buffer_t *out, int64_t peer_id)
{
    pl_json_object_begin(out);
    pl_json_key(out, "peerId");
    pl_json_id(out, peer_id);
}

/* Ends the argument. */
static void start(pl_core_t *core, const char *kind, int64_t user_id, int64_t peer_id,
                  pl_buffer_t *argument, pl_conversation_done_fn on_done, void *owner)
{
    work_t *work = pl_calloc(1, sizeof(*work));

    work->result.user_id = user_id;
    work->result.peer_id = peer_id;
    work->result.settings.muted_until = -1;
    work->on_done = on_done;
    work->owner = owner;
    pl_json_object_end(argument);
    pl_change_flow_start(core,
                         &(pl_change_order_t){
                             .kind = kind,
                             .mailbox_id = user_id,
                             .argument = argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_changed, work);
}

void pl_conversation_update_start(pl_core_t *core, int64_t user_id, int64_t peer_id,
                                  const pl_conversation_settings_t *settings,
                                  pl_conversation_done_fn on_done, void *owner)
{
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    begin_argument(&argument, peer_id);
    if (settings->muted_until >= 0) {
        pl_json_key(&argument, "mutedUntil");
        pl_json_int64(&argument, settings->muted_until);
    }
    key_flag(&argument, "archived", settings->archived);
    key_flag(&argument, "pinned", settings->pinned);
    key_flag(&argument, "markedUnread", settings->marked_unread);
    start(core, "settings", user_id, peer_id, &argument, on_done, owner);
}

void pl_conversation_delete_start(pl_core_t *core, int64_t user_id, int64_t peer_id,
                                  pl_conversation_done_fn on_done, void *owner)
{
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    begin_argument(&argument, peer_id);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    start(core, "clear", user_id, peer_id, &argument, on_done, owner);
}
