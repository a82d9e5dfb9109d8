/*
 * A send to a user.
 *
 *   check-sender -> check-recipient -> check-reply -> write-first
 *
 *   write-first -> done (one database, or refused)
 *          \-> write-copy -> done, the copy is stored
 *                  \-> done, the copy is pending -> the copy ends
 *
 * Order (promise 4): the sends of one connection reach check-sender in the order of their arrival.
 * From there to the recipient's write lane each step either continues at once or waits in a queue
 * for one user, or for one pair of users, and later sends of the same pair wait behind it
 * (user_check.h, reply_check.h). The lane keeps the order in which operations are submitted, and
 * the process has one lane for the recipient.
 *
 * The recipient's copy commits first (promise 2), together with the outbox entry for the sender's
 * copy if that is in another database. The copy is written here so that it is there soon: if this
 * fails, the relay writes it. It is written after a duplicate too, because the first attempt may
 * have been cut off between the two writes.
 */
#include "core/send.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "core/flow.h"
#include "push/hub.h"
#include "store/message_write.h"

static pl_counter_t pending_sends;

void pl_send_metrics_init(void)
{
    pending_sends = pl_counter_register(
        "parley_sends_pending_total",
        "Sends answered before the sender's copy was stored, or every member's of a group.", NULL);
}

void pl_send_count(const pl_outcome_t *outcome, bool is_copy_stored)
{
    bool is_sent = outcome->code == PL_OUTCOME_DONE || outcome->code == PL_OUTCOME_DUPLICATE;

    if (is_sent && !is_copy_stored)
        pl_counter_add(pending_sends, 1);
}

typedef struct send {
    pl_flow_t flow;
    pl_message_write_t first;
    pl_message_write_t copy;
    int64_t reply_to;
    pl_timer_t timeout;      /* for the copy */
    pl_send_done_fn on_done; /* NULL once called */
    void *owner;
    char texts[]; /* clientMessageId, content, extra */
} send_t;

static send_t *send_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(send_t, flow, flow);
}

static void answer(send_t *send, bool is_copy_stored)
{
    const pl_message_write_t *first = &send->first;
    pl_send_done_fn on_done = send->on_done;

    if (on_done == NULL)
        return;
    send->on_done = NULL;
    pl_send_count(&send->flow.outcome, is_copy_stored);
    on_done(
        &(pl_send_result_t){
            .outcome = send->flow.outcome,
            .sender_id = first->sender_id,
            .peer_id = first->mailbox_id,
            .message_id = first->stored_id,
            .is_copy_stored = is_copy_stored,
            .client_message_id = first->client_message_id,
            .client_message_id_len = first->client_message_id_len,
        },
        send->owner);
}

/* ---- check-sender, check-recipient, check-reply ---- */

/* Without this check, the copy of an unknown sender would create a mailbox. */
static pl_turn_t check_sender(pl_flow_t *flow)
{
    return pl_flow_check_actor(flow, send_of(flow)->first.sender_id);
}

static pl_turn_t check_recipient(pl_flow_t *flow)
{
    return pl_flow_check_user(flow, send_of(flow)->first.mailbox_id);
}

/* A send without replyTo comes here too: it may have to wait for an earlier one. */
static pl_turn_t check_reply(pl_flow_t *flow)
{
    send_t *send = send_of(flow);
    return pl_flow_check_message(flow, flow->core->reply_checks, send->first.sender_id,
                                 send->first.mailbox_id, send->reply_to);
}

/* ---- write-first ---- */

static pl_turn_t write_first(pl_flow_t *flow)
{
    pl_message_write_t *first = &send_of(flow)->first;
    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, first->mailbox_id),
                          &first->op);
}

/* Whether the sender's copy is stored. A note to oneself is one row. If both mailboxes are in one
 * shard, they were always in one transaction. If they are in two shards, these may have been in two
 * databases when the first attempt was made, so the copy of a duplicate may still be in the
 * outbox. */
static bool is_copied(const pl_message_write_t *first)
{
    if (first->mailbox_id == first->sender_id)
        return true;
    return first->copy_mode == PL_COPY_HERE &&
           (first->status == PL_WRITE_STORED ||
            pl_id_shard(first->mailbox_id) == pl_id_shard(first->sender_id));
}

/* The sender's shard has left the database since the map was read: nothing was stored, and the copy
 * needs an outbox entry. (23514: no partition accepts the row.) */
static bool must_use_outbox(const pl_message_write_t *first)
{
    return first->copy_mode == PL_COPY_HERE && strcmp(first->op.sqlstate, "23514") == 0 &&
           pl_id_shard(first->mailbox_id) != pl_id_shard(first->sender_id);
}

static enum pl_outcome_code outcome_of(enum pl_write_status status)
{
    switch (status) {
    case PL_WRITE_DUPLICATE:
        return PL_OUTCOME_DUPLICATE;
    case PL_WRITE_REUSED:
        return PL_OUTCOME_CLIENT_MESSAGE_ID_REUSED;
    case PL_WRITE_GONE:
        return PL_OUTCOME_RECIPIENT_NOT_FOUND;
    case PL_WRITE_BLOCKED:
        return PL_OUTCOME_RECIPIENT_UNAVAILABLE;
    case PL_WRITE_STORED:
        break;
    }
    return PL_OUTCOME_DONE;
}

static pl_turn_t judge_first(pl_flow_t *flow)
{
    pl_message_write_t *first = &send_of(flow)->first;

    if (flow->error == PL_ERROR_SQL && must_use_outbox(first)) {
        first->copy_mode = PL_COPY_OUTBOX;
        return PL_TURN_AGAIN;
    }
    if (flow->error != PL_OK)
        return pl_flow_fail(flow);
    flow->outcome.code = outcome_of(first->status);
    if (first->status != PL_WRITE_STORED && first->status != PL_WRITE_DUPLICATE)
        return PL_TURN_END;
    if (!is_copied(first))
        return PL_TURN_NEXT;
    answer(send_of(flow), true);
    return PL_TURN_END;
}

/* ---- write-copy ---- */

/* The lane ends operations that are still queued at the deadline, but not those in flight. */
static void on_copy_timeout(pl_timer_t *timer)
{
    answer(H2O_STRUCT_FROM_MEMBER(send_t, timeout, timer), false);
}

static pl_turn_t write_copy(pl_flow_t *flow)
{
    send_t *send = send_of(flow);
    pl_message_write_t *copy = &send->copy;
    const pl_core_deps_t *deps = &flow->core->deps;

    *copy = send->first;
    memset(&copy->op, 0, sizeof(copy->op));
    copy->mailbox_id = send->first.sender_id;
    copy->peer_id = send->first.mailbox_id;
    copy->message_id = send->first.stored_id;
    copy->copy_mode = PL_COPY_NONE;
    copy->has_waiters = send->first.sender_has_waiters;
    pl_message_write_init(copy);
    copy->op.deadline_ms = (uint64_t)(pl_clock_monotonic_ms() +
                                      deps->config->lanes.copy_deadline_s * 1000);
    send->timeout.on_fire = on_copy_timeout;
    pl_timer_arm(flow->core->copy_timeouts, &send->timeout);
    return pl_flow_submit(flow, pl_cluster_write_lane(deps->cluster, copy->mailbox_id), &copy->op);
}

static pl_turn_t judge_copy(pl_flow_t *flow)
{
    send_t *send = send_of(flow);
    const pl_message_write_t *first = &send->first;
    bool is_stored = flow->error == PL_OK;

    pl_timer_disarm(&send->timeout);
    if (is_stored)
        pl_settler_add(flow->core->deps.settler, first->mailbox_id, first->sender_id,
                       first->stored_id);
    answer(send, is_stored);
    return PL_TURN_END;
}

static const pl_step_t steps[] = {
    {"check-sender", check_sender, .absent = PL_OUTCOME_NO_ACTOR},
    {"check-recipient", check_recipient, .absent = PL_OUTCOME_RECIPIENT_NOT_FOUND},
    {"check-reply", check_reply, .absent = PL_OUTCOME_REPLY_NOT_FOUND},
    {"write-first", write_first, .judge = judge_first, .judges_errors = true, .changes = true},
    {"write-copy", write_copy, .judge = judge_copy, .judges_errors = true},
    {.name = NULL},
};

/* ---- the whole ---- */

/* A send that was refused or has failed is answered here. */
static void on_end(pl_flow_t *flow)
{
    send_t *send = send_of(flow);

    answer(send, false);
    free(send);
}

void pl_send_extra_to_json(pl_buffer_t *out, const pl_send_order_t *order)
{
    if (order->reply_to == 0 && order->metadata_len == 0)
        return;
    pl_json_object_begin(out);
    if (order->reply_to != 0) {
        pl_json_key(out, "replyTo");
        pl_json_id(out, order->reply_to);
    }
    if (order->metadata_len > 0) {
        /* As a string, so that PostgreSQL changes neither a number nor the order of members. */
        pl_json_key(out, "metadata");
        pl_json_string(out, order->metadata, order->metadata_len);
    }
    pl_json_object_end(out);
}

static enum pl_copy_mode copy_mode_of(const pl_cluster_t *cluster, const pl_send_order_t *order)
{
    if (order->peer_id == order->sender_id)
        return PL_COPY_NONE;
    return pl_cluster_share_database(cluster, order->peer_id, order->sender_id) ? PL_COPY_HERE
                                                                                : PL_COPY_OUTBOX;
}

static void set_texts(send_t *send, const pl_send_order_t *order, const pl_buffer_t *extra)
{
    pl_message_write_t *first = &send->first;
    char *content = send->texts + order->client_message_id_len;

    memcpy(send->texts, order->client_message_id, order->client_message_id_len);
    memcpy(content, order->content, order->content_len);
    first->client_message_id = send->texts;
    first->client_message_id_len = order->client_message_id_len;
    first->content = content;
    first->content_len = order->content_len;
    if (extra->len == 0)
        return;
    memcpy(content + order->content_len, extra->data, extra->len);
    first->extra = content + order->content_len;
    first->extra_len = extra->len;
}

static send_t *send_create(const pl_core_deps_t *deps, const pl_send_order_t *order)
{
    pl_buffer_t extra = PL_BUFFER_EMPTY;
    const pl_hub_t *hub = pl_hub_local_hub(deps->hub);

    pl_send_extra_to_json(&extra, order);
    send_t *send = pl_malloc(sizeof(*send) + order->client_message_id_len + order->content_len +
                             extra.len);
    pl_message_write_t *first = &send->first;

    memset(send, 0, sizeof(*send));
    set_texts(send, order, &extra);
    pl_buffer_dispose(&extra);
    send->reply_to = order->reply_to;
    first->mailbox_id = order->peer_id;
    first->peer_id = order->sender_id;
    first->sender_id = order->sender_id;
    first->received_us = pl_clock_now_us();
    first->copy_mode = copy_mode_of(deps->cluster, order);
    first->has_waiters = pl_hub_may_have_waiter(hub, order->peer_id);
    first->sender_has_waiters = pl_hub_may_have_waiter(hub, order->sender_id);
    pl_message_write_init(first);
    return send;
}

void pl_send_start(pl_core_t *core, const pl_send_order_t *order, pl_send_done_fn on_done,
                   void *owner)
{
    if (pl_id_is_group(order->peer_id)) {
        pl_group_send_start(core, order, on_done, owner);
        return;
    }
    send_t *send = send_create(&core->deps, order);
    send->on_done = on_done;
    send->owner = owner;
    pl_flow_start(&send->flow, core, steps, on_end);
}
