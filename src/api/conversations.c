/* fetchConversation, fetchConversationById, updateConversation, deleteConversation, sendReceipt and
 * sendTyping. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/pages.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/conversation_change.h"
#include "core/receipt_writer.h"
#include "core/typing.h"
#include "http/problem.h"

#define PAGE_SIZE_DEFAULT 20

/* ---- fetchConversation ---- */

void pl_on_fetch_conversation(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_page_key_t key = {.kind = PL_PAGE_CONVERSATIONS, .user_id = pl_api_caller(api, request)};

    if (key.user_id != 0 && pl_pages_decode(request, PAGE_SIZE_DEFAULT, &key) == 0)
        pl_pages_answer(api, request, &key);
}

/* ---- fetchConversationById ---- */

void pl_on_fetch_conversation_by_id(pl_request_t *request, void *worker)
{
    pl_page_key_t key = {.kind = PL_PAGE_CONVERSATION, .page_size = 1};

    if (pl_api_decode_conversation(worker, request, &key.user_id, &key.peer_id))
        pl_pages_answer(worker, request, &key);
}

/* ---- updateConversation ---- */

static bool decode_flag(const pl_json_t *json, const char *key, enum pl_tristate *value,
                        pl_refusal_t *refusal)
{
    bool is_on;

    if (pl_body_bool(json, key, &is_on, refusal))
        *value = is_on ? PL_TRUE : PL_FALSE;
    return pl_json_type_of(json, key) != PL_JSON_ABSENT;
}

/* At least one setting. */
static int decode_settings(const pl_json_t *json, pl_conversation_settings_t *settings,
                           pl_refusal_t *refusal)
{
    static const char *const keys[] = {"mutedUntil", "archived", "pinned", "markedUnread", NULL};
    int found = pl_json_get_int64(json, "mutedUntil", &settings->muted_until);
    bool is_any = found != 0;

    pl_body_keys(json, keys, refusal);
    if (found == 0)
        settings->muted_until = -1;
    else if (found < 0 || settings->muted_until < 0)
        pl_body_wrong(refusal, "mutedUntil", "must be an integer of microseconds, 0 or more");
    is_any |= decode_flag(json, "archived", &settings->archived, refusal);
    is_any |= decode_flag(json, "pinned", &settings->pinned, refusal);
    is_any |= decode_flag(json, "markedUnread", &settings->marked_unread, refusal);
    if (!is_any)
        pl_problem_fields_add(
            &refusal->fields, "",
            "must have at least one of mutedUntil, archived, pinned and markedUnread");
    return refusal->fields.count > 0 ? pl_refuse_fields(refusal) : 0;
}

static void key_flag(pl_buffer_t *out, const char *key, enum pl_tristate value)
{
    if (value == PL_UNSET)
        return;
    pl_json_key(out, key);
    pl_json_bool(out, value == PL_TRUE);
}

static void settings_to_json(pl_buffer_t *out, const pl_conversation_result_t *result)
{
    pl_json_object_begin(out);
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, result->user_id, result->peer_id);
    if (result->settings.muted_until >= 0) {
        pl_json_key(out, "mutedUntil");
        pl_json_int64(out, result->settings.muted_until);
    }
    key_flag(out, "archived", result->settings.archived);
    key_flag(out, "pinned", result->settings.pinned);
    key_flag(out, "markedUnread", result->settings.marked_unread);
    pl_json_object_end(out);
}

static void on_updated(const pl_conversation_result_t *result, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE)
        settings_to_json(&body, result);
    pl_api_finish(owner, &result->outcome, &body);
}

void pl_on_update_conversation(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    pl_conversation_settings_t settings = {.archived = PL_UNSET};
    pl_json_t *json = NULL;
    pl_refusal_t refusal;
    int64_t caller_id, peer_id;

    if (!pl_api_decode_conversation(api, request, &caller_id, &peer_id))
        return;
    pl_refusal_init(&refusal);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0 ||
        decode_settings(json, &settings, &refusal) != 0)
        pl_refusal_reply(request, &refusal);
    else
        pl_conversation_update_start(api->core, caller_id, peer_id, &settings, on_updated,
                                     pl_request_ref(request));
    pl_json_free(&json);
}

/* ---- deleteConversation ---- */

static void on_deleted(const pl_conversation_result_t *result, void *owner)
{
    pl_api_finish_no_content(owner, &result->outcome);
}

void pl_on_delete_conversation(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t caller_id, peer_id;

    if (pl_api_decode_conversation(api, request, &caller_id, &peer_id))
        pl_conversation_delete_start(api->core, caller_id, peer_id, on_deleted,
                                     pl_request_ref(request));
}

/* ---- sendReceipt: may be held for a second (core/receipt_writer.h) ---- */

typedef struct held_receipt {
    pl_receipt_t receipt;
    pl_request_t *request;
} held_receipt_t;

static void on_written(pl_receipt_t *receipt)
{
    held_receipt_t *held = H2O_STRUCT_FROM_MEMBER(held_receipt_t, receipt, receipt);

    if (receipt->outcome.code == PL_OUTCOME_DONE)
        pl_request_reply_no_content(held->request);
    else
        pl_api_reply_outcome(held->request, &receipt->outcome);
    pl_request_unref(&held->request);
    free(held);
}

/* On success `receipt` has its watermarks. */
static int decode_receipt(const pl_json_t *json, pl_receipt_t *receipt, pl_refusal_t *refusal)
{
    static const char *const keys[] = {"messageId", "type", NULL};
    const char *type, *id;
    size_t type_len, id_len;
    int64_t message_id = 0;

    pl_body_keys(json, keys, refusal);
    if (pl_body_text(json, "messageId", true, &id, &id_len, refusal) &&
        pl_id_parse(id, id_len, &message_id) != 0)
        pl_body_wrong(refusal, "messageId", "must be a messageId");
    if (pl_body_text(json, "type", true, &type, &type_len, refusal)) {
        const pl_slice_t word = {type, type_len};
        if (pl_slice_is(word, "read"))
            receipt->read_up_to = message_id;
        else if (pl_slice_is(word, "delivered"))
            receipt->delivered_up_to = message_id;
        else
            pl_body_wrong(refusal, "type", "must be read or delivered");
    }
    return refusal->fields.count > 0 ? pl_refuse_fields(refusal) : 0;
}

static void hold(const pl_api_t *api, pl_request_t *request, const pl_receipt_t *receipt)
{
    held_receipt_t *held = pl_calloc(1, sizeof(*held));

    held->receipt = *receipt;
    held->receipt.on_done = on_written;
    held->request = pl_request_ref(request);
    pl_receipt_writer_submit(api->core->deps.receipt_writer, &held->receipt);
}

void pl_on_send_receipt(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    pl_receipt_t receipt = {.user_id = pl_api_caller(api, request)};
    pl_json_t *json = NULL;
    pl_refusal_t refusal;

    if (receipt.user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    receipt.peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), receipt.user_id);
    pl_refusal_init(&refusal);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0 ||
        decode_receipt(json, &receipt, &refusal) != 0)
        pl_refusal_reply(request, &refusal);
    else if (!pl_cluster_can_have_id(api->core->deps.cluster, receipt.peer_id))
        pl_api_reply_no_conversation(request);
    else
        hold(api, request, &receipt);
    pl_json_free(&json);
}

/* ---- sendTyping ---- */

static void on_typing_done(const pl_outcome_t *outcome, void *owner)
{
    pl_api_finish_no_content(owner, outcome);
}

/* A request without a body means that the caller has started. */
static int decode_typing(pl_slice_t body, bool *is_stopped_r, pl_refusal_t *refusal)
{
    static const char *const keys[] = {"state", NULL};
    pl_json_t *json = NULL;
    const char *state;
    size_t len;

    *is_stopped_r = false;
    if (body.len == 0)
        return 0;
    if (pl_body_parse(body.data, body.len, &json, refusal) != 0)
        return -1;
    pl_body_keys(json, keys, refusal);
    if (pl_body_text(json, "state", false, &state, &len, refusal)) {
        *is_stopped_r = strcmp(state, "stopped") == 0;
        if (!*is_stopped_r && strcmp(state, "started") != 0)
            pl_body_wrong(refusal, "state", "must be started or stopped");
    }
    pl_json_free(&json);
    return refusal->fields.count > 0 ? pl_refuse_fields(refusal) : 0;
}

void pl_on_send_typing(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_typing_order_t order;
    pl_refusal_t refusal;

    if (!pl_api_decode_conversation(api, request, &order.user_id, &order.peer_id))
        return;
    pl_refusal_init(&refusal);
    if (decode_typing(pl_request_body(request), &order.is_stopped, &refusal) != 0)
        pl_refusal_reply(request, &refusal);
    else
        pl_typing_start(api->core, &order, on_typing_done, pl_request_ref(request));
}
