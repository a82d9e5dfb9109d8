/*
 * updateConversation and deleteConversation: how the caller wants to see a conversation.
 *
 * Both change the caller's own mailbox and nothing else. The other does not learn of it.
 */
#include <stdlib.h>

#include "api/change_flow.h"
#include "api/refusal.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"

/* The conversation that the path names. */
typedef struct target {
    int64_t caller_id;
    int64_t peer_id;
} target_t;

/* False: the request is answered. */
static bool decode_target(pl_api_t *api, pl_request_t *request, target_t *target)
{
    target->caller_id = pl_api_caller(api, request);
    if (target->caller_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return false;
    target->peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), target->caller_id);
    if (target->peer_id == 0) {
        pl_api_reply_no_conversation(request);
        return false;
    }
    return true;
}

static void begin_argument(pl_buffer_t *out, const target_t *target)
{
    pl_json_object_begin(out);
    pl_json_key(out, "peerId");
    pl_json_id(out, target->peer_id);
}

/* Ends the argument. */
static void start(pl_api_t *api, pl_request_t *request, const char *kind, const target_t *target,
                  pl_buffer_t *argument, pl_change_answer_fn reply)
{
    target_t *kept = pl_malloc(sizeof(*kept));

    *kept = *target;
    pl_json_object_end(argument);
    pl_change_flow_start(api, request,
                         &(pl_change_order_t){
                             .kind = kind,
                             .mailbox_id = target->caller_id,
                             .argument = argument,
                             .reply = reply,
                             .arg = kept,
                         });
}

/* False: the change was made, and the request is not answered. */
static bool reply_refusal(pl_request_t *request, const pl_change_t *change)
{
    if (!pl_change_is(change, "no-mailbox"))
        return pl_change_reply_refusal(request, change);
    pl_api_reply_no_caller(request);
    return true;
}

/* ---- updateConversation ---- */

static const char *const flags[] = {"archived", "pinned"};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

/* Writes the settings that the body has; at least one. */
static int decode_settings(const pl_json_t *json, pl_buffer_t *out, pl_refusal_t *refusal)
{
    int64_t muted_until;
    bool is_on;
    int found = pl_json_get_int64(json, "mutedUntil", &muted_until);
    bool is_any = found != 0;

    if (found < 0 || (found > 0 && muted_until < 0)) {
        pl_body_wrong(refusal, "mutedUntil", "must be an integer of microseconds, 0 or more");
    } else if (found > 0) {
        pl_json_key(out, "mutedUntil");
        pl_json_int64(out, muted_until);
    }
    for (size_t i = 0; i < FLAGS; i++) {
        found = pl_json_get_bool(json, flags[i], &is_on);
        is_any = is_any || found != 0;
        if (found < 0) {
            pl_body_wrong(refusal, flags[i], "must be true or false");
        } else if (found > 0) {
            pl_json_key(out, flags[i]);
            pl_json_bool(out, is_on);
        }
    }
    if (!is_any)
        pl_problem_fields_add(&refusal->fields, "",
                              "must have at least one of mutedUntil, archived and pinned");
    return refusal->fields.count > 0 ? pl_refuse_fields(refusal) : 0;
}

/* The settings as the change function said that they are now. */
static void settings_members(pl_buffer_t *out, const pl_change_t *change)
{
    pl_json_t *detail;
    pl_error_t error;
    int64_t muted_until;
    bool is_on;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    if (pl_json_get_int64(detail, "mutedUntil", &muted_until) == 1) {
        pl_json_key(out, "mutedUntil");
        pl_json_int64(out, muted_until);
    }
    for (size_t i = 0; i < FLAGS; i++)
        if (pl_json_get_bool(detail, flags[i], &is_on) == 1) {
            pl_json_key(out, flags[i]);
            pl_json_bool(out, is_on);
        }
    pl_json_free(&detail);
}

static void reply_settings(pl_request_t *request, const pl_change_t *change, bool is_complete,
                           void *arg)
{
    const target_t *target = arg;
    pl_reply_t head = {.status = 200};
    pl_buffer_t body = PL_BUFFER_EMPTY;
    (void)is_complete;

    if (reply_refusal(request, change))
        return;
    pl_json_object_begin(&body);
    pl_json_key(&body, "conversationId");
    pl_json_conversation_id(&body, target->caller_id, target->peer_id);
    settings_members(&body, change);
    pl_json_object_end(&body);
    pl_request_reply(request, &head, &body);
}

static void on_update_conversation(pl_request_t *request, void *worker)
{
    pl_slice_t body = pl_request_body(request);
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    pl_json_t *json = NULL;
    pl_refusal_t refusal;
    target_t target;

    if (!decode_target(worker, request, &target))
        return;
    pl_refusal_init(&refusal);
    begin_argument(&argument, &target);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0 ||
        decode_settings(json, &argument, &refusal) != 0)
        pl_refusal_reply(request, &refusal);
    else
        start(worker, request, "settings", &target, &argument, reply_settings);
    pl_buffer_dispose(&argument);
    pl_json_free(&json);
}

/* ---- deleteConversation ---- */

/* The messages that are not yet empty are shown no more than those that are. */
static void reply_deleted(pl_request_t *request, const pl_change_t *change, bool is_complete,
                          void *arg)
{
    (void)is_complete;
    (void)arg;
    if (!reply_refusal(request, change))
        pl_request_reply_no_content(request);
}

static void on_delete_conversation(pl_request_t *request, void *worker)
{
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    target_t target;

    if (!decode_target(worker, request, &target))
        return;
    begin_argument(&argument, &target);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    start(worker, request, "clear", &target, &argument, reply_deleted);
}

#define CONVERSATION "/v1/conversations/{conversationId}"

const pl_route_t pl_api_conversation_changes_routes[] = {
    {"updateConversation", "PATCH", CONVERSATION, on_update_conversation, PL_ROUTE_BODY},
    {"deleteConversation", "DELETE", CONVERSATION, on_delete_conversation, 0},
};
const size_t pl_api_conversation_changes_routes_count =
    sizeof(pl_api_conversation_changes_routes) / sizeof(pl_api_conversation_changes_routes[0]);
