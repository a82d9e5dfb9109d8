/*
 * A send to a group: its primary copy goes to the group's own mailbox, and follow-ups bring
 * it to the mailbox of every member.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "core/send.h"

/* The parts of the order that the result repeats. */
typedef struct group_send {
    pl_send_done_fn on_done;
    void *owner;
    int64_t group_id;
    int64_t sender_id;
    size_t client_message_id_len;
    char client_message_id[PL_CLIENT_MESSAGE_ID_MAX];
} group_send_t;

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

static void on_changed(const pl_change_result_t *changed, void *owner)
{
    group_send_t *send = owner;
    pl_send_result_t result = {
        .outcome = changed->outcome,
        .sender_id = send->sender_id,
        .peer_id = send->group_id,
        .is_copy_stored = changed->is_complete,
        .client_message_id = send->client_message_id,
        .client_message_id_len = send->client_message_id_len,
    };

    if (result.outcome.code == PL_OUTCOME_DONE || result.outcome.code == PL_OUTCOME_DUPLICATE)
        result.message_id = message_id_of(changed->change);
    pl_send_count(&result.outcome, result.is_copy_stored);
    send->on_done(&result, send->owner);
    free(send);
}

static void encode(pl_buffer_t *argument, const pl_send_order_t *order)
{
    pl_json_object_begin(argument);
    pl_json_key(argument, "senderId");
    pl_json_id(argument, order->sender_id);
    pl_json_key(argument, "clientMessageId");
    pl_json_string(argument, order->client_message_id, order->client_message_id_len);
    pl_json_key(argument, "content");
    pl_json_string(argument, order->content, order->content_len);
    pl_json_key(argument, "timestamp");
    pl_json_int64(argument, pl_clock_now_us());
    if (order->reply_to != 0 || order->metadata_len > 0) {
        pl_json_key(argument, "extra");
        pl_send_extra_to_json(argument, order);
    }
    pl_json_object_end(argument);
}

void pl_group_send_start(pl_core_t *core, const pl_send_order_t *order, pl_send_done_fn on_done,
                         void *owner)
{
    group_send_t *send = pl_calloc(1, sizeof(*send));
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    send->on_done = on_done;
    send->owner = owner;
    send->group_id = order->peer_id;
    send->sender_id = order->sender_id;
    send->client_message_id_len = order->client_message_id_len;
    memcpy(send->client_message_id, order->client_message_id, order->client_message_id_len);
    encode(&argument, order);
    pl_change_flow_start(core,
                         &(pl_change_order_t){
                             .kind = "group_send",
                             .mailbox_id = order->peer_id,
                             /* The members in its database, if they are few, get their copies in
                              * the same transaction. */
                             .other_id = order->peer_id,
                             /* The group itself knows whether another sender is a member. */
                             .actor_id = order->sender_id == order->actor_id ? order->actor_id : 0,
                             .argument = &argument,
                         },
                         on_changed, send);
}
