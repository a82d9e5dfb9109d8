/*
 * sendMessage: the life of a send.
 *
 *   checking sender -> checking recipient -> checking what it answers -> first write
 *
 *   first write -> answered (one database, or refused)
 *          \-> copying -> answered "stored"
 *                 \-> answered "pending" -> copy ends
 *
 * It does not depend on its client: once decoded it goes on to its end, and only the answer is lost
 * if the client has left.
 *
 * Order (promise 4): sends of one connection reach check_sender in the order of their arrival. From
 * there to the recipient's write lane each step either goes on at once or waits in a queue for one
 * user, or for one pair, that later sends of the same pair have to join behind (user_check.h,
 * reply_check.h). The lane keeps the order of what is submitted to it, and there is one for the
 * recipient in the process.
 *
 * The recipient's copy and, in another database, the outbox row that owes the sender's copy commit
 * first (promise 2). What is done here for the sender's copy after that is to be quick: if it
 * fails, the relay does the same. So it is done for a duplicate too, whose first attempt may have
 * been cut off between the two.
 */
#include "api/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/actor_check.h"
#include "api/context.h"
#include "api/group_send.h"
#include "api/reply_check.h"
#include "api/send_input.h"
#include "api/user_check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "http/problem.h"
#include "push/hub.h"
#include "store/message_write.h"
#include "store/resource_json.h"

static pl_counter_t pending_answers;

void pl_messages_metrics_init(void)
{
    pending_answers = pl_counter_register(
        "parley_sends_pending_total",
        "Sends answered before the sender's copy was stored, or every member's of a group.", NULL);
}

void pl_messages_count_pending(void)
{
    pl_counter_add(pending_answers, 1);
}

/* The message's `extra` (sql/README.md) with an id. */
#define EXTRA_SIZE (sizeof("{\"replyTo\":\"\"}") + PL_ID_TEXT_SIZE)

typedef struct send {
    pl_message_write_t first;
    pl_message_write_t copy;
    pl_actor_check_t sender_check;
    pl_user_check_t check; /* of the recipient */
    pl_reply_check_t reply_check;
    char extra[EXTRA_SIZE];
    pl_timer_t timeout; /* for the copy */
    pl_api_t *api;
    pl_request_t *request; /* NULL once answered */
    char texts[];          /* clientMessageId, content */
} send_t;

static void check_sender(send_t *send);
static void check_recipient(send_t *send);
static void check_reply(send_t *send);
static void write_first(send_t *send);
static void write_copy(send_t *send);

static void set_reply_to(send_t *send, int64_t message_id)
{
    send->first.extra = send->extra;
    send->first.extra_len = (size_t)snprintf(send->extra, sizeof(send->extra),
                                             "{\"replyTo\":\"%lld\"}", (long long)message_id);
    send->reply_check.message_id = message_id;
}

static send_t *send_create(pl_api_t *api, pl_request_t *request, const pl_send_input_t *input)
{
    send_t *send = pl_malloc(sizeof(*send) + input->client_message_id_len + input->content_len);
    pl_message_write_t *first = &send->first;

    memset(send, 0, sizeof(*send));
    send->api = api;
    send->request = pl_request_ref(request);
    memcpy(send->texts, input->client_message_id, input->client_message_id_len);
    memcpy(send->texts + input->client_message_id_len, input->content, input->content_len);
    first->mailbox_id = input->recipient_id;
    first->peer_id = input->sender_id;
    first->sender_id = input->sender_id;
    first->received_us = pl_clock_now_us();
    first->copy_mode = pl_cluster_share_database(api->deps.cluster, input->recipient_id,
                                                 input->sender_id)
                           ? PL_COPY_HERE
                           : PL_COPY_OUTBOX;
    first->is_awaited = pl_hub_is_awaited(pl_hub_of(api->deps.hub), input->recipient_id);
    first->is_copy_awaited = pl_hub_is_awaited(pl_hub_of(api->deps.hub), input->sender_id);
    first->client_message_id = send->texts;
    first->client_message_id_len = input->client_message_id_len;
    first->content = send->texts + input->client_message_id_len;
    first->content_len = input->content_len;
    if (input->reply_to != 0)
        set_reply_to(send, input->reply_to);
    pl_message_write_init(first);
    first->op.deadline_ms = pl_api_deadline_ms(api);
    return send;
}

static void send_destroy(send_t *send)
{
    if (send->request != NULL)
        pl_request_unref(&send->request);
    free(send);
}

/* ---- answers ---- */

static void answer(send_t *send, bool is_copy_stored)
{
    const pl_message_write_t *first = &send->first;
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_reply_t reply = {.status = first->status == PL_WRITE_DUPLICATE ? 200 : 201};

    if (!is_copy_stored)
        pl_messages_count_pending();
    pl_sent_message_to_json(&body, &(pl_sent_message_t){
                                       .message_id = first->stored_id,
                                       .sender_id = first->sender_id,
                                       .peer_id = first->mailbox_id,
                                       .client_message_id = first->client_message_id,
                                       .client_message_id_len = first->client_message_id_len,
                                       .is_copy_stored = is_copy_stored,
                                       .is_duplicate = first->status == PL_WRITE_DUPLICATE,
                                   });
    pl_request_reply(send->request, &reply, &body);
    pl_request_unref(&send->request);
}

static void fail(send_t *send, enum pl_error_code code)
{
    if (code == PL_ERROR_OVERLOADED)
        pl_api_reply_overloaded(send->request);
    else
        pl_api_reply_error(send->request, code);
    send_destroy(send);
}

/* ---- do the two users exist? ---- */

static void on_sender_checked(send_t *send)
{
    switch (send->sender_check.result) {
    case PL_ACTOR_BELIEVED:
        check_recipient(send);
        return;
    case PL_ACTOR_OVERLOADED:
        fail(send, PL_ERROR_OVERLOADED);
        return;
    case PL_ACTOR_NOBODY:
        if (send->first.sender_id == pl_request_claims(send->request)->user_id)
            pl_api_reply_no_caller(send->request);
        else
            pl_problem_reply_field(send->request, "/senderId", "no user has this id");
        send_destroy(send);
    }
}

static void on_sender_read(pl_actor_check_t *check)
{
    on_sender_checked(H2O_STRUCT_FROM_MEMBER(send_t, sender_check, check));
}

/* To write the copy of a sender who does not exist would make a mailbox of it. */
static void check_sender(send_t *send)
{
    send->sender_check.user_id = send->first.sender_id;
    send->sender_check.on_done = on_sender_read;
    if (pl_actor_check_start(send->api, &send->sender_check))
        on_sender_checked(send);
}

static void on_recipient_checked(send_t *send)
{
    if (send->check.error != PL_OK) {
        fail(send, send->check.error);
    } else if (send->check.exists) {
        check_reply(send);
    } else {
        pl_problem_reply(send->request, PL_PROBLEM_RECIPIENT_NOT_FOUND,
                         "No user has the recipient's id.");
        send_destroy(send);
    }
}

static void on_recipient_read(pl_user_check_t *check)
{
    on_recipient_checked(H2O_STRUCT_FROM_MEMBER(send_t, check, check));
}

static void check_recipient(send_t *send)
{
    send->check.user_id = send->first.mailbox_id;
    send->check.on_done = on_recipient_read;
    if (pl_user_check_start(send->api->user_checks, &send->check))
        on_recipient_checked(send);
}

/* ---- does the message that it answers exist? ---- */

static void on_reply_checked(send_t *send)
{
    if (send->reply_check.error != PL_OK) {
        fail(send, send->reply_check.error);
    } else if (send->reply_check.exists) {
        write_first(send);
    } else {
        pl_problem_reply_field(send->request, "/replyTo",
                               "no message of the conversation has this id");
        send_destroy(send);
    }
}

static void on_reply_read(pl_reply_check_t *check)
{
    on_reply_checked(H2O_STRUCT_FROM_MEMBER(send_t, reply_check, check));
}

static void check_reply(send_t *send)
{
    send->reply_check.sender_id = send->first.sender_id;
    send->reply_check.recipient_id = send->first.mailbox_id;
    send->reply_check.on_done = on_reply_read;
    if (pl_reply_check_start(send->api->reply_checks, &send->reply_check))
        on_reply_checked(send);
}

/* ---- the recipient's copy ---- */

/* Whether the sender's copy is there. In one shard it was stored with the first-written one,
 * however long ago. A duplicate of two shards may be from when they were in two databases, and its
 * copy still be owed. */
static bool is_copied(const pl_message_write_t *first)
{
    return first->copy_mode == PL_COPY_HERE &&
           (first->status == PL_WRITE_STORED ||
            pl_id_shard(first->mailbox_id) == pl_id_shard(first->sender_id));
}

/* The sender's shard has left the database since the map was read: nothing was stored, and the copy
 * is to be owed instead. (23514: no partition takes the row.) */
static bool must_owe_copy(const pl_message_write_t *first)
{
    return first->copy_mode == PL_COPY_HERE && strcmp(first->op.sqlstate, "23514") == 0 &&
           pl_id_shard(first->mailbox_id) != pl_id_shard(first->sender_id);
}

/* Whether the recipient's mailbox has refused the message; then the request is answered. */
static bool refuse(send_t *send)
{
    switch (send->first.status) {
    case PL_WRITE_REUSED:
        pl_problem_reply(
            send->request, PL_PROBLEM_CLIENT_MESSAGE_ID_REUSED,
            "A message with this clientMessageId and other content is in this conversation.");
        return true;
    case PL_WRITE_GONE:
        pl_problem_reply(send->request, PL_PROBLEM_RECIPIENT_NOT_FOUND,
                         "No user has the recipient's id.");
        return true;
    case PL_WRITE_BLOCKED:
        pl_problem_reply(send->request, PL_PROBLEM_RECIPIENT_UNAVAILABLE,
                         "The recipient takes no messages from the sender.");
        return true;
    default:
        return false;
    }
}

static void on_first_done(pl_op_t *op)
{
    send_t *send = H2O_STRUCT_FROM_MEMBER(send_t, first.op, op);

    if (op->error == PL_ERROR_SQL && must_owe_copy(&send->first)) {
        send->first.copy_mode = PL_COPY_OUTBOX;
        write_first(send);
    } else if (op->error != PL_OK) {
        pl_api_reply_failure(send->request, op);
        send_destroy(send);
    } else if (refuse(send)) {
        send_destroy(send);
    } else if (is_copied(&send->first)) {
        answer(send, true);
        send_destroy(send);
    } else {
        write_copy(send);
    }
}

static void write_first(send_t *send)
{
    pl_lane_t *lane = pl_cluster_write_lane(send->api->deps.cluster, send->first.mailbox_id);

    send->first.op.on_done = on_first_done;
    if (pl_lane_submit(lane, &send->first.op) != 0)
        fail(send, PL_ERROR_OVERLOADED);
}

/* ---- the sender's copy ---- */

static void on_copy_done(pl_op_t *op)
{
    send_t *send = H2O_STRUCT_FROM_MEMBER(send_t, copy.op, op);

    pl_timer_disarm(&send->timeout);
    if (op->error == PL_OK) {
        pl_settler_add(send->api->deps.settler, send->first.mailbox_id, send->first.sender_id,
                       send->first.stored_id);
    }
    if (send->request != NULL)
        answer(send, op->error == PL_OK);
    send_destroy(send);
}

/* The lane ends what still waits at the deadline, but not what is in flight. */
static void on_copy_timeout(pl_timer_t *timer)
{
    answer(H2O_STRUCT_FROM_MEMBER(send_t, timeout, timer), false);
}

static void write_copy(send_t *send)
{
    pl_message_write_t *copy = &send->copy;
    int64_t deadline_ms = send->api->deps.config->lanes.copy_deadline_s * 1000;

    *copy = send->first;
    memset(&copy->op, 0, sizeof(copy->op));
    copy->mailbox_id = send->first.sender_id;
    copy->peer_id = send->first.mailbox_id;
    copy->message_id = send->first.stored_id;
    copy->copy_mode = PL_COPY_NONE;
    copy->is_awaited = send->first.is_copy_awaited;
    pl_message_write_init(copy);
    copy->op.deadline_ms = (uint64_t)(pl_clock_monotonic_ms() + deadline_ms);
    copy->op.on_done = on_copy_done;
    send->timeout.on_fire = on_copy_timeout;
    pl_timer_arm(send->api->copy_timeouts, &send->timeout);
    if (pl_lane_submit(pl_cluster_write_lane(send->api->deps.cluster, copy->mailbox_id),
                       &copy->op) != 0) {
        pl_timer_disarm(&send->timeout);
        answer(send, false);
        send_destroy(send);
    }
}

/* ---- the request ---- */

static void on_send_message(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    pl_send_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_send_input_decode(body.data, body.len, pl_request_claims(request), &input, &refusal) !=
        0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    if (input.group_id != 0) {
        pl_group_send_start(api, request, &input);
        pl_send_input_dispose(&input);
        return;
    }
    send_t *send = send_create(api, request, &input);
    pl_send_input_dispose(&input);
    check_sender(send);
}

const pl_route_t pl_api_messages_routes[] = {
    {"sendMessage", "POST", "/v1/messages", on_send_message, PL_ROUTE_BODY},
};
const size_t pl_api_messages_routes_count = sizeof(pl_api_messages_routes) /
                                            sizeof(pl_api_messages_routes[0]);
