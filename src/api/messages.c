/* sendMessage, fetchMessages, fetchMessage, editMessage, deleteMessage, addReaction,
 * removeReaction, fetchMessageReceipts and fetchReactions. */
#include "api/audit.h"
#include "api/body.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/pages.h"
#include "api/send_input.h"
#include "api/user_lists.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/text.h"
#include "core/message_change.h"
#include "core/send.h"
#include "http/problem.h"
#include "store/resource_json.h"

#define PAGE_SIZE_DEFAULT 50

/* ---- sendMessage ---- */

static void reply_sent(pl_request_t *request, const pl_send_result_t *result)
{
    bool is_duplicate = result->outcome.code == PL_OUTCOME_DUPLICATE;
    const pl_sent_message_t message = {
        .message_id = result->message_id,
        .sender_id = result->sender_id,
        .peer_id = result->peer_id,
        .client_message_id = result->client_message_id,
        .client_message_id_len = result->client_message_id_len,
        .is_copy_stored = result->is_copy_stored,
        .is_duplicate = is_duplicate,
    };
    pl_buffer_t body = PL_BUFFER_EMPTY;

    pl_sent_message_to_json(&body, &message);
    pl_request_reply(request, &(pl_reply_t){.status = is_duplicate ? 200 : 201}, &body);
}

static void on_sent(const pl_send_result_t *result, void *owner)
{
    pl_request_t *request = owner;
    enum pl_outcome_code code = result->outcome.code;

    if (code == PL_OUTCOME_DONE || code == PL_OUTCOME_DUPLICATE)
        reply_sent(request, result);
    else if (code == PL_OUTCOME_NO_ACTOR &&
             result->sender_id != pl_request_claims(request)->user_id)
        pl_problem_reply_field(request, "/senderId", "no user has this id");
    else
        pl_api_reply_outcome(request, &result->outcome);
    pl_request_unref(&request);
}

static void send_message(pl_core_t *core, pl_request_t *request, const pl_send_order_t *order)
{
    if (pl_id_is_group(order->peer_id) &&
        !pl_cluster_can_have_id(core->deps.cluster, order->peer_id))
        pl_api_reply_no_conversation(request);
    else
        pl_send_start(core, order, on_sent, pl_request_ref(request));
}

void pl_on_send_message(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    pl_send_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_send_input_decode(body.data, body.len, pl_request_claims(request), &input, &refusal) !=
        0) {
        /* The only thing that a send forbids is another's senderId. */
        if (refusal.problem == PL_PROBLEM_FORBIDDEN)
            pl_api_audit_admin_only(request, 0);
        pl_refusal_reply(request, &refusal);
        return;
    }
    if (input.order.sender_id != pl_request_claims(request)->user_id)
        pl_api_audit_acting(request, input.order.sender_id);
    send_message(api->core, request, &input.order);
    pl_send_input_dispose(&input);
}

/* ---- fetchMessages ---- */

void pl_on_fetch_messages(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_page_key_t key = {.kind = PL_PAGE_MESSAGES, .user_id = pl_api_caller(api, request)};

    if (key.user_id == 0 || pl_pages_decode(request, PAGE_SIZE_DEFAULT, &key) != 0)
        return;
    key.peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), key.user_id);
    if (key.peer_id == 0)
        pl_api_reply_no_conversation(request);
    else
        pl_pages_answer(api, request, &key);
}

/* ---- fetchMessage, editMessage, deleteMessage, addReaction, removeReaction ---- */

/* Reads the conversation and the message from the path. False: the request was answered. */
static bool decode_message(const pl_api_t *api, pl_request_t *request, int64_t caller_id,
                           int64_t *peer_id_r, int64_t *message_id_r)
{
    pl_slice_t message = pl_request_path_parameter(request, 1);

    *peer_id_r = pl_api_peer_of(pl_request_path_parameter(request, 0), caller_id);
    if (!pl_cluster_can_have_id(api->core->deps.cluster, *peer_id_r)) {
        pl_api_reply_no_conversation(request);
        return false;
    }
    if (pl_id_parse(message.data, message.len, message_id_r) != 0) {
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_MESSAGE_NOT_FOUND});
        return false;
    }
    return true;
}

void pl_on_fetch_message(pl_request_t *request, void *worker)
{
    pl_page_key_t key = {
        .kind = PL_PAGE_MESSAGE,
        .user_id = pl_api_caller(worker, request),
        .page_size = 1,
    };

    if (key.user_id != 0 && pl_request_query(request, NULL, 0) == 0 &&
        decode_message(worker, request, key.user_id, &key.peer_id, &key.message_id))
        pl_pages_answer(worker, request, &key);
}

/* Reads the caller and the message. False: the request was answered. */
static bool decode_target(const pl_api_t *api, pl_request_t *request,
                          pl_message_change_order_t *order)
{
    order->actor_id = pl_api_caller(api, request);
    return order->actor_id != 0 &&
           decode_message(api, request, order->actor_id, &order->peer_id, &order->message_id);
}

static void key_time(pl_buffer_t *out, const char *key, int64_t time_us)
{
    if (time_us == 0)
        return;
    pl_json_key(out, key);
    pl_json_int64(out, time_us);
}

static void change_to_json(pl_buffer_t *out, const pl_message_change_result_t *result)
{
    pl_json_object_begin(out);
    pl_json_key(out, "messageId");
    pl_json_id(out, result->message_id);
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, result->actor_id, result->peer_id);
    key_time(out, "editedTimestamp", result->edited_us);
    key_time(out, "deletedTimestamp", result->deleted_us);
    pl_json_key(out, "senderCopy");
    pl_json_text(out, result->is_copy_stored ? "stored" : "pending");
    if (result->reactions != NULL) {
        pl_json_key(out, "reactions");
        pl_json_raw(out, result->reactions, result->reactions_len);
    }
    pl_json_object_end(out);
}

static void on_changed(const pl_message_change_result_t *result, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE)
        change_to_json(&body, result);
    pl_api_finish(owner, &result->outcome, &body);
}

static void change(const pl_api_t *api, pl_request_t *request,
                   const pl_message_change_order_t *order)
{
    pl_message_change_start(api->core, order, on_changed, pl_request_ref(request));
}

static int decode_edit(pl_slice_t body, const pl_json_t *json, pl_message_change_order_t *order,
                       pl_buffer_t *metadata, pl_refusal_t *refusal)
{
    static const char *const keys[] = {"messageContent", "metadata", NULL};

    pl_body_keys(json, keys, refusal);
    if (pl_body_text(json, "messageContent", true, &order->text, &order->text_len, refusal) &&
        order->text_len == 0)
        pl_body_wrong(refusal, "messageContent", "must not be empty");
    pl_body_metadata(body.data, body.len, json, metadata, refusal);
    order->metadata = metadata->data;
    order->metadata_len = metadata->len;
    if (refusal->fields.count > 0)
        return pl_refuse_fields(refusal);
    if (order->text_len > PL_MESSAGE_CONTENT_MAX)
        return pl_refuse(refusal, PL_PROBLEM_MESSAGE_TOO_LARGE,
                         "messageContent has %zu bytes; at most %d are allowed.", order->text_len,
                         PL_MESSAGE_CONTENT_MAX);
    return 0;
}

void pl_on_edit_message(pl_request_t *request, void *worker)
{
    pl_slice_t body = pl_request_body(request);
    pl_message_change_order_t order = {.kind = PL_MESSAGE_EDIT};
    pl_buffer_t metadata = PL_BUFFER_EMPTY;
    pl_json_t *json = NULL;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0 || !decode_target(worker, request, &order))
        return;
    pl_refusal_init(&refusal);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0 ||
        decode_edit(body, json, &order, &metadata, &refusal) != 0)
        pl_refusal_reply(request, &refusal);
    else
        change(worker, request, &order);
    pl_buffer_dispose(&metadata);
    pl_json_free(&json);
}

void pl_on_delete_message(pl_request_t *request, void *worker)
{
    pl_query_parameter_t scope = {.name = "scope"};
    pl_message_change_order_t order = {.kind = PL_MESSAGE_DELETE};

    if (pl_request_query(request, &scope, 1) != 0)
        return;
    if (scope.value.data != NULL && pl_slice_is(scope.value, "me")) {
        order.kind = PL_MESSAGE_DELETE_FOR_ME;
    } else if (scope.value.data != NULL && !pl_slice_is(scope.value, "everyone")) {
        pl_problem_reply_field(request, "?scope", "must be me or everyone");
        return;
    }
    if (decode_target(worker, request, &order))
        change(worker, request, &order);
}

static void set_reaction(pl_request_t *request, const pl_api_t *api,
                         enum pl_message_change_kind kind)
{
    pl_slice_t emoji = pl_request_path_parameter(request, 2);
    pl_message_change_order_t order = {.kind = kind, .text = emoji.data, .text_len = emoji.len};

    if (pl_request_query(request, NULL, 0) != 0 || !decode_target(api, request, &order))
        return;
    if (emoji.len > PL_EMOJI_MAX || !pl_utf8_is_valid(emoji.data, emoji.len))
        pl_problem_reply(request, PL_PROBLEM_NOT_FOUND,
                         "A reaction is at most %d bytes of valid UTF-8.", PL_EMOJI_MAX);
    else
        change(api, request, &order);
}

void pl_on_add_reaction(pl_request_t *request, void *worker)
{
    set_reaction(request, worker, PL_MESSAGE_REACTION_ADD);
}

void pl_on_remove_reaction(pl_request_t *request, void *worker)
{
    set_reaction(request, worker, PL_MESSAGE_REACTION_REMOVE);
}

/* ---- fetchMessageReceipts, fetchReactions ---- */

static void answer_list(pl_request_t *request, const pl_api_t *api, enum pl_user_list_kind kind)
{
    pl_user_list_order_t order = {.kind = kind, .actor_id = pl_api_caller(api, request)};

    if (order.actor_id != 0 && pl_user_lists_decode(request, &order) == 0 &&
        decode_message(api, request, order.actor_id, &order.peer_id, &order.message_id))
        pl_user_lists_answer(api, request, &order);
}

void pl_on_fetch_message_receipts(pl_request_t *request, void *worker)
{
    answer_list(request, worker, PL_USER_LIST_RECEIPTS);
}

void pl_on_fetch_reactions(pl_request_t *request, void *worker)
{
    answer_list(request, worker, PL_USER_LIST_REACTIONS);
}
