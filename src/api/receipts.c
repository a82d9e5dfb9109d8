/*
 * sendReceipt: how far the caller has read a conversation, or has been delivered it.
 *
 * Receipts of one conversation that come close together are one write (receipt_writer.h), so that a
 * request may be held for a second. What the write owes to the other is done when it is answered,
 * or is owed by the change outbox.
 */
#include "api/receipts.h"

#include <stdlib.h>

#include "api/receipt_writer.h"
#include "api/refusal.h"
#include "base/id.h"
#include "base/memory.h"
#include "http/problem.h"

typedef struct held_receipt {
    pl_receipt_t receipt;
    pl_request_t *request;
} held_receipt_t;

static void reply_failure(const held_receipt_t *held)
{
    if (held->receipt.error == PL_ERROR_OVERLOADED)
        pl_api_reply_overloaded(held->request);
    else
        pl_api_reply_error(held->request, held->receipt.error);
}

static void on_done(pl_receipt_t *receipt)
{
    held_receipt_t *held = H2O_STRUCT_FROM_MEMBER(held_receipt_t, receipt, receipt);

    switch (receipt->result) {
    case PL_RECEIPT_WRITTEN:
        pl_request_reply_no_content(held->request);
        break;
    case PL_RECEIPT_NO_CONVERSATION:
        pl_api_reply_no_conversation(held->request);
        break;
    case PL_RECEIPT_NO_USER:
        pl_api_reply_no_caller(held->request);
        break;
    case PL_RECEIPT_TOO_MANY:
        pl_problem_reply(held->request, PL_PROBLEM_TOO_MANY_REQUESTS,
                         "Too many receipts of this conversation wait to be written.");
        break;
    case PL_RECEIPT_FAILED:
        reply_failure(held);
        break;
    }
    pl_request_unref(&held->request);
    free(held);
}

/* `receipt` has its watermarks then. */
static int decode(pl_slice_t body, pl_receipt_t *receipt, pl_refusal_t *refusal)
{
    pl_json_t *json = NULL;
    const char *type, *id;
    size_t type_len, id_len;
    int64_t message_id = 0;

    if (pl_body_parse(body.data, body.len, &json, refusal) != 0)
        return -1;
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
    pl_json_free(&json);
    return refusal->fields.count > 0 ? pl_refuse_fields(refusal) : 0;
}

static void hold(pl_api_t *api, pl_request_t *request, const pl_receipt_t *receipt)
{
    held_receipt_t *held = pl_calloc(1, sizeof(*held));

    held->receipt = *receipt;
    held->receipt.on_done = on_done;
    held->request = pl_request_ref(request);
    pl_receipt_writer_submit(api->deps.receipt_writer, &held->receipt);
}

static void on_send_receipt(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_receipt_t receipt = {.user_id = pl_api_caller(api, request)};
    pl_refusal_t refusal;

    if (receipt.user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_refusal_init(&refusal);
    if (decode(pl_request_body(request), &receipt, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    receipt.peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), receipt.user_id);
    if (receipt.peer_id == 0 || !pl_cluster_has(api->deps.cluster, receipt.peer_id))
        pl_api_reply_no_conversation(request);
    else
        hold(api, request, &receipt);
}

void pl_receipts_note_cursor(const pl_api_t *api, int64_t user_id, int64_t cursor)
{
    if (cursor > 0)
        pl_receipt_writer_note_cursor(api->deps.receipt_writer, user_id, cursor);
}

const pl_route_t pl_api_receipts_routes[] = {
    {"sendReceipt", "POST", "/v1/conversations/{conversationId}/receipts", on_send_receipt,
     PL_ROUTE_BODY},
};
const size_t pl_api_receipts_routes_count = sizeof(pl_api_receipts_routes) /
                                            sizeof(pl_api_receipts_routes[0]);
