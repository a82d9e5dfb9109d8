#include "api/send_input.h"

#include <string.h>

#include "base/id.h"
#include "base/text.h"

/* The conversation that the body names. */
typedef struct target {
    enum { TARGET_NONE, TARGET_RECIPIENT, TARGET_PAIR, TARGET_GROUP } kind;
    int64_t low; /* TARGET_RECIPIENT: the recipient */
    int64_t high;
} target_t;

static void decode_recipient(const char *text, size_t len, target_t *target, pl_refusal_t *refusal)
{
    if (pl_id_parse(text, len, &target->low) != 0) {
        pl_body_wrong(refusal, "recipientId", "must be a userId");
        return;
    }
    target->kind = TARGET_RECIPIENT;
}

static void decode_conversation(const char *text, size_t len, target_t *target,
                                pl_refusal_t *refusal)
{
    int kind = pl_conversation_id_parse(text, len, &target->low, &target->high);

    if (kind < 0) {
        pl_body_wrong(refusal, "conversationId",
                      pl_conversation_id_is_swapped(text, len) ? "must have the lower userId first"
                                                               : "must be a conversationId");
        return;
    }
    target->kind = kind == 1 ? TARGET_PAIR : TARGET_GROUP;
}

static void decode_target(const pl_json_t *json, target_t *target, pl_refusal_t *refusal)
{
    const char *text;
    size_t len;

    *target = (target_t){.kind = TARGET_NONE};
    if (pl_json_type_of(json, "conversationId") == PL_JSON_ABSENT) {
        if (pl_body_text(json, "recipientId", true, &text, &len, refusal))
            decode_recipient(text, len, target, refusal);
    } else if (pl_json_type_of(json, "recipientId") != PL_JSON_ABSENT) {
        pl_body_wrong(refusal, "conversationId", "is not allowed beside recipientId");
    } else if (pl_body_text(json, "conversationId", true, &text, &len, refusal)) {
        decode_conversation(text, len, target, refusal);
    }
}

static void decode_sender(const pl_json_t *json, const pl_token_claims_t *caller,
                          pl_send_input_t *input, pl_refusal_t *refusal)
{
    const char *text;
    size_t len;

    input->order.actor_id = caller->user_id;
    input->order.sender_id = caller->user_id;
    if (pl_body_text(json, "senderId", false, &text, &len, refusal) &&
        (pl_id_parse(text, len, &input->order.sender_id) != 0 ||
         pl_id_is_group(input->order.sender_id)))
        pl_body_wrong(refusal, "senderId", "must be a userId");
}

static void decode_texts(const pl_json_t *json, pl_send_input_t *input, pl_refusal_t *refusal)
{
    if (pl_body_text(json, "clientMessageId", true, &input->order.client_message_id,
                     &input->order.client_message_id_len, refusal) &&
        (input->order.client_message_id_len == 0 ||
         input->order.client_message_id_len > PL_CLIENT_MESSAGE_ID_MAX ||
         !pl_ascii_is_printable(input->order.client_message_id,
                                input->order.client_message_id_len))) {
        pl_body_wrong(refusal, "clientMessageId", "must be 1 to %d printable ASCII characters",
                      PL_CLIENT_MESSAGE_ID_MAX);
    }
    if (pl_body_text(json, "messageContent", true, &input->order.content, &input->order.content_len,
                     refusal) &&
        input->order.content_len == 0)
        pl_body_wrong(refusal, "messageContent", "must not be empty");
}

static void decode_reply_to(const pl_json_t *json, pl_send_input_t *input, pl_refusal_t *refusal)
{
    const char *text;
    size_t len;

    if (pl_body_text(json, "replyTo", false, &text, &len, refusal) &&
        pl_id_parse(text, len, &input->order.reply_to) != 0)
        pl_body_wrong(refusal, "replyTo", "must be a messageId");
}

/* Finds the recipient, now that the sender is known. Another user's conversation is answered like
 * an unknown one. */
static int resolve(const target_t *target, pl_send_input_t *input, pl_refusal_t *refusal)
{
    if (target->kind == TARGET_RECIPIENT) {
        input->order.peer_id = target->low;
        if (pl_id_is_group(input->order.peer_id)) {
            return pl_refuse(refusal, PL_PROBLEM_RECIPIENT_NOT_FOUND,
                             "A group is sent to by its conversationId.");
        }
        return 0;
    }
    if (target->kind == TARGET_GROUP) {
        input->order.peer_id = target->low;
        return 0;
    }
    if (target->low != input->order.sender_id && target->high != input->order.sender_id) {
        return pl_refuse(refusal, PL_PROBLEM_CONVERSATION_NOT_FOUND,
                         "The sender takes no part in such a conversation.");
    }
    input->order.peer_id = target->low == input->order.sender_id ? target->high : target->low;
    return 0;
}

static int decode(const char *body, size_t len, const pl_token_claims_t *caller,
                  pl_send_input_t *input, pl_refusal_t *refusal)
{
    static const char *const keys[] = {
        "recipientId",    "conversationId", "senderId", "clientMessageId",
        "messageContent", "replyTo",        "metadata", NULL};
    target_t target;

    pl_body_keys(input->json, keys, refusal);
    decode_target(input->json, &target, refusal);
    decode_sender(input->json, caller, input, refusal);
    decode_texts(input->json, input, refusal);
    decode_reply_to(input->json, input, refusal);
    pl_body_metadata(body, len, input->json, &input->metadata, refusal);
    input->order.metadata = input->metadata.data;
    input->order.metadata_len = input->metadata.len;
    if (refusal->fields.count > 0)
        return pl_refuse_fields(refusal);
    if (input->order.sender_id != caller->user_id && !caller->admin) {
        return pl_refuse(refusal, PL_PROBLEM_FORBIDDEN,
                         "senderId must be the caller; only an admin sends as another.");
    }
    if (input->order.content_len > PL_MESSAGE_CONTENT_MAX) {
        return pl_refuse(refusal, PL_PROBLEM_MESSAGE_TOO_LARGE,
                         "messageContent has %zu bytes; at most %d are allowed.",
                         input->order.content_len, PL_MESSAGE_CONTENT_MAX);
    }
    return resolve(&target, input, refusal);
}

int pl_send_input_decode(const char *body, size_t len, const pl_token_claims_t *caller,
                         pl_send_input_t *input, pl_refusal_t *refusal)
{
    memset(input, 0, sizeof(*input));
    pl_refusal_init(refusal);
    if (pl_body_parse(body, len, &input->json, refusal) != 0)
        return -1;
    if (decode(body, len, caller, input, refusal) != 0) {
        pl_send_input_dispose(input);
        return -1;
    }
    return 0;
}

void pl_send_input_dispose(pl_send_input_t *input)
{
    pl_json_free(&input->json);
    pl_buffer_dispose(&input->metadata);
}
