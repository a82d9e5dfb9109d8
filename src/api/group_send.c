#include "api/group_send.h"

#include <string.h>

#include "api/change_flow.h"
#include "api/messages.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"
#include "store/resource_json.h"

/* What the answer repeats. */
typedef struct sent {
    int64_t group_id;
    int64_t sender_id;
    size_t client_message_id_len;
    char client_message_id[PL_CLIENT_MESSAGE_ID_MAX];
} sent_t;

static int64_t message_id_of(const pl_change_t *change)
{
    pl_json_t *detail;
    pl_error_t error;
    const char *text;
    size_t len;
    int64_t id = 0;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return 0;
    if (pl_json_get_string(detail, "messageId", &text, &len) == 1)
        (void)!pl_id_parse(text, len, &id);
    pl_json_free(&detail);
    return id;
}

static void reply(pl_request_t *request, const pl_change_t *change, bool is_complete, void *arg)
{
    const sent_t *sent = arg;
    bool is_duplicate = pl_change_is(change, "duplicate");
    pl_reply_t head = {.status = is_duplicate ? 200 : 201};
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (pl_change_is(change, "reply-not-found")) {
        pl_problem_reply_field(request, "/replyTo", "no message of the conversation has this id");
        return;
    }
    if (!is_duplicate && pl_change_reply_refusal(request, change))
        return;
    if (!is_complete)
        pl_messages_count_pending();
    const pl_sent_message_t message = {
        .message_id = message_id_of(change),
        .sender_id = sent->sender_id,
        .peer_id = sent->group_id,
        .client_message_id = sent->client_message_id,
        .client_message_id_len = sent->client_message_id_len,
        .is_copy_stored = is_complete,
        .is_duplicate = is_duplicate,
    };
    pl_sent_message_to_json(&body, &message);
    pl_request_reply(request, &head, &body);
}

static void encode(pl_buffer_t *argument, const pl_send_input_t *input)
{
    pl_json_object_begin(argument);
    pl_json_key(argument, "senderId");
    pl_json_id(argument, input->sender_id);
    pl_json_key(argument, "clientMessageId");
    pl_json_string(argument, input->client_message_id, input->client_message_id_len);
    pl_json_key(argument, "content");
    pl_json_string(argument, input->content, input->content_len);
    pl_json_key(argument, "timestamp");
    pl_json_int64(argument, pl_clock_now_us());
    if (input->reply_to != 0) {
        pl_json_key(argument, "extra");
        pl_json_object_begin(argument);
        pl_json_key(argument, "replyTo");
        pl_json_id(argument, input->reply_to);
        pl_json_object_end(argument);
    }
    pl_json_object_end(argument);
}

void pl_group_send_start(pl_api_t *api, pl_request_t *request, const pl_send_input_t *input)
{
    int64_t caller_id = pl_request_claims(request)->user_id;
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    sent_t *sent;

    if (!pl_cluster_has(api->deps.cluster, input->group_id)) {
        pl_api_reply_no_conversation(request);
        return;
    }
    sent = pl_calloc(1, sizeof(*sent));
    sent->group_id = input->group_id;
    sent->sender_id = input->sender_id;
    sent->client_message_id_len = input->client_message_id_len;
    memcpy(sent->client_message_id, input->client_message_id, input->client_message_id_len);
    encode(&argument, input);
    pl_change_flow_start(api, request,
                         &(pl_change_order_t){
                             .kind = "group_send",
                             .mailbox_id = input->group_id,
                             /* Members of its database, if they are few, in one transaction. */
                             .other_id = input->group_id,
                             /* For whom an admin speaks, the group knows or not. */
                             .actor_id = input->sender_id == caller_id ? caller_id : 0,
                             .argument = &argument,
                             .reply = reply,
                             .arg = sent,
                         });
}
