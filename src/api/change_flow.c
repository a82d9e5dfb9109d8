#include "api/change_flow.h"

#include <stdlib.h>
#include <string.h>

#include "api/actor_check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/problem.h"
#include "store/change_kinds.h"

/* How long to wait until what is not there yet is asked for again. */
#define AGAIN_MS 100
/* The same for what is owed: at once at first, for what is missing is mostly in the next batch. */
#define DEBT_AGAIN_MS 20
#define DEBT_AT_ONCE 4

typedef struct flow flow_t;

/* What is owed to one mailbox. */
typedef struct debt {
    pl_change_t change;
    flow_t *flow;
    pl_owed_change_t owed;
    bool is_awaited;  /* by the answer: the first change owes it, not another debt */
    pl_timer_t pause; /* until it is tried again */
    int tries;
} debt_t;

struct flow {
    pl_change_t first;
    pl_change_answer_fn reply;
    void *arg;
    pl_api_t *api;
    pl_request_t *request;   /* NULL once answered */
    pl_change_end_fn on_end; /* instead of a request; NULL once called */
    void *owner;
    pl_actor_check_t actor_check;
    pl_timer_t timeout; /* until the first change is tried again; then for what is owed */
    int64_t give_up_ms; /* when it is tried no more */
    size_t debts_open;
    size_t debts_awaited;
    bool is_complete;
    pl_buffer_t argument;
};

static void submit_first(flow_t *flow);

static void flow_destroy(flow_t *flow)
{
    pl_timer_disarm(&flow->timeout);
    if (flow->request != NULL)
        pl_request_unref(&flow->request);
    pl_change_dispose(&flow->first);
    pl_buffer_dispose(&flow->argument);
    free(flow->arg);
    free(flow);
}

static void answer(flow_t *flow, bool is_complete)
{
    pl_change_end_fn on_end = flow->on_end;

    flow->on_end = NULL;
    if (on_end != NULL) {
        on_end(&flow->first, is_complete, flow->owner);
    } else if (flow->request != NULL) {
        flow->reply(flow->request, &flow->first, is_complete, flow->arg);
        pl_request_unref(&flow->request);
    }
}

static void fail(flow_t *flow)
{
    if (flow->on_end != NULL)
        flow->on_end(&flow->first, false, flow->owner);
    else
        pl_api_reply_failure(flow->request, &flow->first.op);
    flow_destroy(flow);
}

/* ---- what is owed ---- */

static void pay(flow_t *flow, pl_change_t *debtor, bool is_awaited);

static void close_debt(debt_t *debt, bool is_made)
{
    flow_t *flow = debt->flow;

    if (is_made)
        pay(flow, &debt->change, false);
    if (debt->is_awaited) {
        flow->is_complete = flow->is_complete && is_made;
        if (--flow->debts_awaited == 0)
            answer(flow, flow->is_complete);
    }
    free(debt->owed.kind);
    free(debt->owed.argument);
    pl_change_dispose(&debt->change);
    free(debt);
    if (--flow->debts_open == 0)
        flow_destroy(flow);
}

static void submit_debt(debt_t *debt)
{
    pl_change_t *change = &debt->change;

    if (pl_lane_submit(pl_cluster_change_lane(debt->flow->api->deps.cluster, change->mailbox_id),
                       &change->op) != 0)
        pl_op_refuse(&change->op);
}

static void on_pause_over(pl_timer_t *timer)
{
    submit_debt(H2O_STRUCT_FROM_MEMBER(debt_t, pause, timer));
}

/* What another flow is about to make may be missing: a group's message before this one. The end of
 * a job's slice is missing too, and for the relay. */
static bool may_be_tried_again(const debt_t *debt)
{
    return debt->is_awaited && debt->change.op.error == PL_OK &&
           pl_change_is(&debt->change, "missing") &&
           !pl_change_traits_of(debt->owed.kind)->is_background &&
           (uint64_t)pl_clock_monotonic_ms() < debt->change.op.deadline_ms;
}

static void on_debt_done(pl_op_t *op)
{
    debt_t *debt = H2O_STRUCT_FROM_MEMBER(debt_t, change.op, op);
    bool is_made = op->error == PL_OK && !pl_change_is(&debt->change, "missing");

    if (may_be_tried_again(debt)) {
        if (++debt->tries <= DEBT_AT_ONCE)
            submit_debt(debt);
        else
            pl_timer_arm(pl_timer_queue(debt->flow->api->loop, DEBT_AGAIN_MS), &debt->pause);
        return;
    }
    if (is_made)
        pl_settler_add_change(debt->flow->api->deps.settler, &debt->owed);
    close_debt(debt, is_made);
}

static void on_timeout(pl_timer_t *timer)
{
    answer(H2O_STRUCT_FROM_MEMBER(flow_t, timeout, timer), false);
}

/* Takes over what is owed. */
static void open_debt(flow_t *flow, pl_owed_change_t *owed, bool is_awaited)
{
    debt_t *debt = pl_calloc(1, sizeof(*debt));
    pl_change_t *change = &debt->change;

    debt->flow = flow;
    debt->owed = *owed;
    debt->is_awaited = is_awaited;
    debt->pause.on_fire = on_pause_over;
    owed->kind = owed->argument = NULL;
    change->mailbox_id = debt->owed.target_id;
    change->kind = debt->owed.kind;
    change->argument = debt->owed.argument;
    change->argument_len = strlen(debt->owed.argument);
    change->members_count = debt->owed.members_count;
    pl_change_init(change);
    change->op.deadline_ms = (uint64_t)(pl_clock_monotonic_ms() +
                                        flow->api->deps.config->lanes.copy_deadline_s * 1000);
    change->op.on_done = on_debt_done;
    flow->debts_open++;
    flow->debts_awaited += is_awaited;
    submit_debt(debt);
}

static void pay(flow_t *flow, pl_change_t *debtor, bool is_awaited)
{
    for (size_t i = 0; i < debtor->owed_count; i++)
        open_debt(flow, &debtor->owed[i], is_awaited);
}

static void pay_first(flow_t *flow)
{
    flow->is_complete = true;
    flow->timeout.on_fire = on_timeout;
    pl_timer_arm(flow->api->copy_timeouts, &flow->timeout);
    pay(flow, &flow->first, true);
}

/* ---- the first change ---- */

/* The companion's shard has left the database since the map was read: nothing was changed, and it
 * is to be owed instead. (3F000: there is no such schema.) */
static bool must_owe(const pl_change_t *first)
{
    return first->companion_id != 0 && strcmp(first->op.sqlstate, "3F000") == 0 &&
           pl_id_shard(first->mailbox_id) != pl_id_shard(first->companion_id);
}

static void on_again(pl_timer_t *timer)
{
    submit_first(H2O_STRUCT_FROM_MEMBER(flow_t, timeout, timer));
}

static void try_again(flow_t *flow)
{
    flow->timeout.on_fire = on_again;
    pl_timer_arm(pl_timer_queue(flow->api->loop, AGAIN_MS), &flow->timeout);
}

static void on_first_done(pl_op_t *op)
{
    flow_t *flow = H2O_STRUCT_FROM_MEMBER(flow_t, first.op, op);

    if (op->error == PL_ERROR_SQL && must_owe(&flow->first)) {
        flow->first.companion_id = 0;
        submit_first(flow);
    } else if (op->error != PL_OK) {
        fail(flow);
    } else if (pl_change_is(&flow->first, "missing") &&
               pl_clock_monotonic_ms() < flow->give_up_ms) {
        try_again(flow);
    } else if (flow->first.owed_count > 0) {
        pay_first(flow);
    } else {
        answer(flow, true);
        flow_destroy(flow);
    }
}

static void submit_first(flow_t *flow)
{
    pl_lane_t *lane = pl_cluster_change_lane(flow->api->deps.cluster, flow->first.mailbox_id);

    if (pl_lane_submit(lane, &flow->first.op) == 0)
        return;
    if (flow->request != NULL) {
        pl_api_reply_overloaded(flow->request);
        flow_destroy(flow);
    } else {
        pl_op_refuse(&flow->first.op);
    }
}

/* ---- who acts ---- */

static void on_actor_checked(flow_t *flow)
{
    if (flow->actor_check.result == PL_ACTOR_BELIEVED) {
        submit_first(flow);
        return;
    }
    pl_actor_check_refuse(&flow->actor_check, flow->request);
    flow_destroy(flow);
}

static void on_actor_read(pl_actor_check_t *check)
{
    on_actor_checked(H2O_STRUCT_FROM_MEMBER(flow_t, actor_check, check));
}

static void check_actor(flow_t *flow, int64_t actor_id)
{
    flow->actor_check.user_id = actor_id;
    flow->actor_check.on_done = on_actor_read;
    if (pl_actor_check_start(flow->api, &flow->actor_check))
        on_actor_checked(flow);
}

/* ---- beginnings ---- */

static flow_t *flow_create(pl_api_t *api, const pl_change_order_t *order)
{
    flow_t *flow = pl_calloc(1, sizeof(*flow));
    pl_change_t *first = &flow->first;

    flow->api = api;
    flow->argument = *order->argument;
    *order->argument = (pl_buffer_t)PL_BUFFER_EMPTY;
    first->mailbox_id = order->mailbox_id;
    first->companion_id = order->other_id != 0 &&
                                  pl_cluster_share_database(api->deps.cluster, order->mailbox_id,
                                                            order->other_id)
                              ? order->other_id
                              : 0;
    first->kind = order->kind;
    first->argument = flow->argument.data;
    first->argument_len = flow->argument.len;
    pl_change_init(first);
    first->op.deadline_ms = pl_api_deadline_ms(api);
    flow->give_up_ms = pl_clock_monotonic_ms() + api->deps.config->lanes.copy_deadline_s * 1000;
    first->op.on_done = on_first_done;
    return flow;
}

void pl_change_flow_start(pl_api_t *api, pl_request_t *request, const pl_change_order_t *order)
{
    flow_t *flow = flow_create(api, order);

    flow->request = pl_request_ref(request);
    flow->reply = order->reply;
    flow->arg = order->arg;
    if (order->actor_id != 0)
        check_actor(flow, order->actor_id);
    else
        submit_first(flow);
}

void pl_change_flow_run(pl_api_t *api, const pl_change_order_t *order, pl_change_end_fn on_end,
                        void *owner)
{
    flow_t *flow = flow_create(api, order);

    flow->on_end = on_end;
    flow->owner = owner;
    submit_first(flow);
}

/* ---- refusals ---- */

bool pl_change_reply_refusal(pl_request_t *request, const pl_change_t *change)
{
    static const struct {
        const char *status;
        pl_problem_t problem;
        const char *detail;
    } refusals[] = {
        {"message-not-found", PL_PROBLEM_MESSAGE_NOT_FOUND,
         "The conversation has no such message, or it was deleted."},
        {"not-sender", PL_PROBLEM_FORBIDDEN, "Only its sender may do this to a message."},
        {"recipient-unavailable", PL_PROBLEM_RECIPIENT_UNAVAILABLE,
         "The other takes nothing from the caller."},
        {"forbidden", PL_PROBLEM_FORBIDDEN, "The caller's role in the group does not allow it."},
        {"group-not-found", PL_PROBLEM_GROUP_NOT_FOUND, "The caller is in no such group."},
        {"group-full", PL_PROBLEM_GROUP_FULL, "The group has as many members as it may have."},
        {"member-not-found", PL_PROBLEM_MEMBER_NOT_FOUND, "The group has no such member."},
        {"client-group-id-reused", PL_PROBLEM_CLIENT_GROUP_ID_REUSED,
         "The caller has created another group with this clientGroupId."},
        {"client-message-id-reused", PL_PROBLEM_CLIENT_MESSAGE_ID_REUSED,
         "A message with this clientMessageId and other content is in this conversation."},
        {"too-many-reactions", PL_PROBLEM_TOO_MANY_REACTIONS,
         "The caller has set 20 reactions to this message."},
        {"too-many-blocks", PL_PROBLEM_TOO_MANY_BLOCKS, "The caller has blocked 10,000 users."},
        {"missing", PL_PROBLEM_UNAVAILABLE, "The other's copy of the message is not there yet."},
        {"no-mailbox", PL_PROBLEM_CONVERSATION_NOT_FOUND,
         "The caller takes no part in such a conversation."},
        {"conversation-not-found", PL_PROBLEM_CONVERSATION_NOT_FOUND,
         "The caller takes no part in such a conversation."},
    };

    if (pl_change_is(change, "done"))
        return false;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (pl_change_is(change, refusals[i].status)) {
            pl_problem_reply(request, refusals[i].problem, "%s", refusals[i].detail);
            return true;
        }
    pl_log_error("change-status-unknown", PL_S("requestId", pl_request_id(request)),
                 PL_S("kind", change->kind), PL_S("status", change->status));
    pl_problem_reply(request, PL_PROBLEM_INTERNAL_ERROR, "The change ended in an unknown way.");
    return true;
}
