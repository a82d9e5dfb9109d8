/*
 * The life of a change that is no send: an edit, a receipt, a setting.
 *
 * does who acts exist? ->
 *   first change -> refused, or nothing owed ------------------------------> answered
 *         ^    \-> what it owes, in other databases -> all made ----------> answered, complete
 *         |                                       \-> not yet, too late --> answered, incomplete
 *         +--- "missing": in a moment again, for as long as a copy may take, then refused
 *
 * What is owed may owe in turn, for which the answer does not wait.
 *
 * As with a send (api/messages.c), it does not depend on its client, and what is done here for the
 * other mailboxes is to be quick: the change outbox owes it, and the relay does what is left.
 */
#ifndef PL_API_CHANGE_FLOW_H
#define PL_API_CHANGE_FLOW_H

#include "api/context.h"
#include "store/change.h"

/* Answers the request of a change that was made or refused: status and detail are in `change`.
 * `is_complete`: all that it owes is done too. `arg` is the starter's. Called once, never before
 * pl_change_flow_start returns, unless the operation itself failed: then the request was answered
 * already. */
typedef void (*pl_change_answer_fn)(pl_request_t *request, const pl_change_t *change,
                                    bool is_complete, void *arg);

/* What is to be changed. Nothing of it need outlive the call. */
typedef struct pl_change_order {
    const char *kind;   /* {shard}.change_<kind>; a literal */
    int64_t mailbox_id; /* whose mailbox is changed first */
    int64_t other_id;   /* 0, or the mailbox that the change will owe to; for members, the group */
    int64_t actor_id;   /* 0, or the caller, where it is not their own mailbox that is changed
                         * first: who was erased is told so (401) */
    pl_buffer_t *argument; /* a JSON object; taken over */
    pl_change_answer_fn reply;
    void *arg; /* freed with the flow; may be NULL */
} pl_change_order_t;

void pl_change_flow_start(pl_api_t *api, pl_request_t *request, const pl_change_order_t *order);

/* The end of a change that is made for no request of its own. `change->op.error` says whether there
 * is a status; PL_ERROR_OVERLOADED: no lane took it. */
typedef void (*pl_change_end_fn)(const pl_change_t *change, bool is_complete, void *owner);

/* The same for such a change: the order's `reply` and `arg` are not used. `on_end` is called once,
 * never before this returns. */
void pl_change_flow_run(pl_api_t *api, const pl_change_order_t *order, pl_change_end_fn on_end,
                        void *owner);

/* The problem that tells of a refusal. False: the status is none, and the request is not answered.
 */
bool pl_change_reply_refusal(pl_request_t *request, const pl_change_t *change);

#endif
