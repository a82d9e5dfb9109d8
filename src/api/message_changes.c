/*
 * editMessage, deleteMessage, addReaction and removeReaction.
 *
 * What concerns both is changed first in the other's mailbox, for it is the other who must not miss
 * it, and then in the caller's own; in a group, in the group's own mailbox, and then in every
 * member's. A message that the caller deletes for themselves alone is
 * changed in their own mailbox and nowhere else.
 */
#include <stdlib.h>
#include <string.h>

#include "api/actor_check.h"
#include "api/change_flow.h"
#include "api/refusal.h"
#include "api/reply_check.h"
#include "api/send_input.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/problem.h"

/* An emoji is a few code points; a client may mean other short texts. */
#define EMOJI_MAX 64

/* The message that the path names. */
typedef struct target {
    int64_t caller_id;
    int64_t peer_id;
    int64_t message_id;
} target_t;

/* False: the request is answered. */
static bool decode_target(pl_api_t *api, pl_request_t *request, target_t *target)
{
    pl_slice_t message = pl_request_path_parameter(request, 1);

    target->caller_id = pl_api_caller(api, request);
    if (target->caller_id == 0)
        return false;
    target->peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), target->caller_id);
    if (target->peer_id == 0 || !pl_cluster_has(api->deps.cluster, target->peer_id)) {
        pl_api_reply_no_conversation(request);
        return false;
    }
    if (pl_id_parse(message.data, message.len, &target->message_id) != 0) {
        pl_problem_reply(request, PL_PROBLEM_MESSAGE_NOT_FOUND, "This is no messageId.");
        return false;
    }
    return true;
}

static void key_id(pl_buffer_t *out, const char *key, int64_t id)
{
    pl_json_key(out, key);
    pl_json_id(out, id);
}

/* The argument's beginning: the message as it is in the mailbox whose conversation is with peerId.
 * A group finds that out by itself, and has to know who acts. */
static void begin_argument(pl_buffer_t *out, const target_t *target, bool is_own)
{
    pl_json_object_begin(out);
    key_id(out, "peerId", is_own ? target->peer_id : target->caller_id);
    key_id(out, "messageId", target->message_id);
    key_id(out, "actorId", target->caller_id);
}

static void end_argument_now(pl_buffer_t *out)
{
    pl_json_key(out, "timestamp");
    pl_json_int64(out, pl_clock_now_us());
    pl_json_object_end(out);
}

/* ---- answers ---- */

/* What the change function said, but for its own. */
static void detail_members(pl_buffer_t *out, const pl_change_t *change)
{
    static const char *const keys[] = {"editedTimestamp", "deletedTimestamp"};
    pl_json_t *detail;
    pl_error_t error;
    int64_t value;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (pl_json_get_int64(detail, keys[i], &value) == 1) {
            pl_json_key(out, keys[i]);
            pl_json_int64(out, value);
        }
    pl_json_free(&detail);
}

static void reply(pl_request_t *request, const pl_change_t *change, bool is_complete, void *arg)
{
    const target_t *target = arg;
    pl_reply_t head = {.status = 200};
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (pl_change_reply_refusal(request, change))
        return;
    pl_json_object_begin(&body);
    key_id(&body, "messageId", target->message_id);
    pl_json_key(&body, "conversationId");
    pl_json_conversation_id(&body, target->caller_id, target->peer_id);
    detail_members(&body, change);
    pl_json_key(&body, "senderCopy");
    pl_json_text(&body, is_complete ? "stored" : "pending");
    pl_json_object_end(&body);
    pl_request_reply(request, &head, &body);
}

/* ---- from the request to the change ---- */

/* A change that is asked for: first it is seen that the caller exists, whose token may be older
 * than their end. */
typedef struct work {
    pl_actor_check_t caller_check;
    pl_reply_check_t message_check;
    pl_api_t *api;
    pl_request_t *request;
    const char *kind;
    target_t target;
    bool is_own;      /* made in the caller's own mailbox and nowhere else */
    bool is_reaction; /* the message is looked for in the caller's own mailbox first */
    pl_buffer_t argument;
} work_t;

static void work_destroy(work_t *work)
{
    pl_request_unref(&work->request);
    pl_buffer_dispose(&work->argument);
    free(work);
}

static void make(work_t *work)
{
    const target_t *target = &work->target;
    target_t *kept = pl_malloc(sizeof(*kept));

    *kept = *target;
    pl_change_flow_start(
        work->api, work->request,
        &(pl_change_order_t){
            .kind = work->kind,
            .mailbox_id = work->is_own ? target->caller_id : target->peer_id,
            .other_id = work->is_own || pl_id_is_group(target->peer_id) ? 0 : target->caller_id,
            .argument = &work->argument,
            .reply = reply,
            .arg = kept,
        });
    work_destroy(work);
}

static void on_message_checked(work_t *work)
{
    if (work->message_check.error == PL_OK && work->message_check.exists) {
        make(work);
        return;
    }
    if (work->message_check.error != PL_OK)
        pl_api_reply_overloaded(work->request);
    else
        pl_problem_reply(work->request, PL_PROBLEM_MESSAGE_NOT_FOUND,
                         "The conversation has no such message.");
    work_destroy(work);
}

static void on_message_read(pl_reply_check_t *check)
{
    on_message_checked(H2O_STRUCT_FROM_MEMBER(work_t, message_check, check));
}

/* The other's mailbox, which is changed first, may not have a copy yet of what the other has sent.
 */
static void check_message(work_t *work)
{
    work->message_check.sender_id = work->target.caller_id;
    work->message_check.recipient_id = work->target.peer_id;
    work->message_check.message_id = work->target.message_id;
    work->message_check.on_done = on_message_read;
    if (pl_reply_check_start(work->api->reaction_checks, &work->message_check))
        on_message_checked(work);
}

static void go_on(work_t *work)
{
    if (work->is_reaction)
        check_message(work);
    else
        make(work);
}

static void on_caller_checked(work_t *work)
{
    if (work->caller_check.result == PL_ACTOR_BELIEVED) {
        go_on(work);
        return;
    }
    pl_actor_check_refuse(&work->caller_check, work->request);
    work_destroy(work);
}

static void on_caller_read(pl_actor_check_t *check)
{
    on_caller_checked(H2O_STRUCT_FROM_MEMBER(work_t, caller_check, check));
}

/* Takes the argument. */
static void start(pl_api_t *api, pl_request_t *request, const work_t *order,
                  const pl_buffer_t *argument)
{
    work_t *work = pl_malloc(sizeof(*work));

    *work = *order;
    work->api = api;
    work->request = pl_request_ref(request);
    work->argument = *argument;
    work->caller_check.user_id = work->target.caller_id;
    work->caller_check.on_done = on_caller_read;
    if (pl_actor_check_start(api, &work->caller_check))
        on_caller_checked(work);
}

/* ---- requests ---- */

static int decode_content(pl_json_t *json, const char **content, size_t *len, pl_refusal_t *refusal)
{
    if (pl_body_text(json, "messageContent", true, content, len, refusal) && *len == 0)
        pl_body_wrong(refusal, "messageContent", "must not be empty");
    if (refusal->fields.count > 0)
        return pl_refuse_fields(refusal);
    if (*len > PL_MESSAGE_CONTENT_MAX)
        return pl_refuse(refusal, PL_PROBLEM_MESSAGE_TOO_LARGE,
                         "messageContent has %zu bytes; at most %d are allowed.", *len,
                         PL_MESSAGE_CONTENT_MAX);
    return 0;
}

static const char *content_kind(const target_t *target)
{
    return pl_id_is_group(target->peer_id) ? "group_edit" : "message";
}

static void on_edit_message(pl_request_t *request, void *worker)
{
    pl_slice_t body = pl_request_body(request);
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    pl_json_t *json = NULL;
    pl_refusal_t refusal;
    target_t target;
    const char *content;
    size_t len;

    if (pl_request_query(request, NULL, 0) != 0 || !decode_target(worker, request, &target))
        return;
    pl_refusal_init(&refusal);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0 ||
        decode_content(json, &content, &len, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
    } else {
        begin_argument(&argument, &target, false);
        pl_json_key(&argument, "content");
        pl_json_string(&argument, content, len);
        end_argument_now(&argument);
        start(worker, request, &(work_t){.kind = content_kind(&target), .target = target},
              &argument);
    }
    pl_json_free(&json);
}

static void on_delete_message(pl_request_t *request, void *worker)
{
    pl_query_parameter_t scope = {.name = "scope"};
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    target_t target;

    if (pl_request_query(request, &scope, 1) != 0)
        return;
    bool is_own = scope.value.data != NULL && pl_slice_is(scope.value, "me");
    if (scope.value.data != NULL && !is_own && !pl_slice_is(scope.value, "everyone")) {
        pl_problem_reply_field(request, "?scope", "must be me or everyone");
        return;
    }
    if (!decode_target(worker, request, &target))
        return;
    begin_argument(&argument, &target, is_own);
    end_argument_now(&argument);
    start(worker, request,
          &(work_t){
              .kind = is_own ? "deletion" : content_kind(&target),
              .target = target,
              .is_own = is_own,
          },
          &argument);
}

static void set_reaction(pl_request_t *request, pl_api_t *api, bool is_on)
{
    pl_slice_t emoji = pl_request_path_parameter(request, 2);
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    target_t target;

    if (pl_request_query(request, NULL, 0) != 0 || !decode_target(api, request, &target))
        return;
    if (emoji.len > EMOJI_MAX || !pl_utf8_is_valid(emoji.data, emoji.len)) {
        pl_problem_reply(request, PL_PROBLEM_NOT_FOUND,
                         "A reaction is at most %d bytes of valid UTF-8.", EMOJI_MAX);
        return;
    }
    bool is_group = pl_id_is_group(target.peer_id);
    begin_argument(&argument, &target, false);
    pl_json_key(&argument, "emoji");
    pl_json_string(&argument, emoji.data, emoji.len);
    pl_json_key(&argument, "on");
    pl_json_bool(&argument, is_on);
    if (!is_group) {
        pl_json_key(&argument, "held");
        pl_json_bool(&argument, true);
    }
    pl_json_object_end(&argument);
    start(api, request,
          &(work_t){
              .kind = is_group ? "group_reaction" : "reaction",
              .target = target,
              .is_reaction = !is_group,
          },
          &argument);
}

static void on_add_reaction(pl_request_t *request, void *worker)
{
    set_reaction(request, worker, true);
}

static void on_remove_reaction(pl_request_t *request, void *worker)
{
    set_reaction(request, worker, false);
}

#define MESSAGE "/v1/conversations/{conversationId}/messages/{messageId}"

const pl_route_t pl_api_message_changes_routes[] = {
    {"editMessage", "PATCH", MESSAGE, on_edit_message, PL_ROUTE_BODY},
    {"deleteMessage", "DELETE", MESSAGE, on_delete_message, 0},
    {"addReaction", "PUT", MESSAGE "/reactions/{emoji}", on_add_reaction, 0},
    {"removeReaction", "DELETE", MESSAGE "/reactions/{emoji}", on_remove_reaction, 0},
};
const size_t pl_api_message_changes_routes_count = sizeof(pl_api_message_changes_routes) /
                                                   sizeof(pl_api_message_changes_routes[0]);
