#include "core/flow.h"

#include <assert.h>

static void set_state(pl_flow_t *flow, enum pl_flow_state state)
{
    static const bool is_allowed[][PL_FLOW_ENDED + 1] = {
        [PL_FLOW_NEW] = {[PL_FLOW_RUNNING] = true},
        [PL_FLOW_RUNNING] = {[PL_FLOW_WAITING] = true, [PL_FLOW_ENDED] = true},
        [PL_FLOW_WAITING] = {[PL_FLOW_RUNNING] = true},
    };

    assert(is_allowed[flow->state][state]);
    assert(pl_loop_current() == flow->core->loop);
    flow->state = state;
}

/* ---- the end ---- */

pl_turn_t pl_flow_end(pl_flow_t *flow, enum pl_outcome_code code)
{
    flow->outcome.code = code;
    return PL_TURN_END;
}

pl_turn_t pl_flow_fail(pl_flow_t *flow)
{
    assert(flow->error != PL_OK);
    if (flow->error == PL_ERROR_SQL && flow->op != NULL) {
        flow->outcome = pl_outcome_of_op(flow->op, flow->step->name);
        return PL_TURN_END;
    }
    /* A read whose connection was lost has changed nothing. */
    if (flow->error == PL_ERROR_OUTCOME_UNKNOWN && !flow->has_changed)
        return pl_flow_end(flow, PL_OUTCOME_UNAVAILABLE);
    return pl_flow_end(flow, pl_outcome_of_error(flow->error));
}

static void finish(pl_flow_t *flow)
{
    pl_password_job_free(&flow->job);
    flow->on_end(flow);
}

static void on_ending(pl_deferred_t *deferred)
{
    finish(H2O_STRUCT_FROM_MEMBER(pl_flow_t, ending, deferred));
}

/* ---- turns ---- */

static bool must_stop(const pl_flow_t *flow)
{
    return flow->is_abandoned && !flow->has_changed;
}

static pl_turn_t judge(pl_flow_t *flow)
{
    const pl_step_t *step = flow->step;

    if (must_stop(flow))
        return pl_flow_end(flow, PL_OUTCOME_ABANDONED);
    if (flow->job != NULL && flow->job->result == PL_PASSWORD_CANCELLED)
        return pl_flow_end(flow, PL_OUTCOME_SHUTTING_DOWN);
    if (flow->job != NULL && flow->job->result == PL_PASSWORD_FAILED)
        return pl_flow_end(flow, PL_OUTCOME_NO_MEMORY);
    if (flow->error != PL_OK && !step->judges_errors)
        return pl_flow_fail(flow);
    if (step->judge != NULL)
        return step->judge(flow);
    if (flow->exists || step->absent == PL_OUTCOME_DONE)
        return PL_TURN_NEXT;
    return pl_flow_end(flow, step->absent);
}

static pl_turn_t begin(pl_flow_t *flow)
{
    flow->error = PL_OK;
    flow->exists = false;
    flow->op = NULL;
    pl_password_job_free(&flow->job);
    flow->has_changed = flow->has_changed || flow->step->changes;
    return flow->step->begin(flow);
}

/* Goes on from `turn` until the flow waits or ends. False: it has ended, and the flow may be
 * gone after its on_end. */
static bool run(pl_flow_t *flow, pl_turn_t turn)
{
    for (;;) {
        switch (turn) {
        case PL_TURN_WAIT:
            set_state(flow, PL_FLOW_WAITING);
            return true;
        case PL_TURN_JUDGE:
            turn = judge(flow);
            break;
        case PL_TURN_NEXT:
            flow->step++;
            turn = flow->step->name != NULL ? begin(flow) : PL_TURN_END;
            break;
        case PL_TURN_AGAIN:
            turn = begin(flow);
            break;
        case PL_TURN_END:
            set_state(flow, PL_FLOW_ENDED);
            return false;
        }
    }
}

void pl_flow_start(pl_flow_t *flow, pl_core_t *core, const pl_step_t *steps,
                   void (*on_end)(pl_flow_t *flow))
{
    flow->core = core;
    flow->step = steps;
    flow->on_end = on_end;
    flow->deadline_ms = pl_core_deadline_ms(core);
    set_state(flow, PL_FLOW_RUNNING);
    if (run(flow, begin(flow)))
        return;
    flow->ending.run = on_ending;
    pl_loop_defer(core->loop, &flow->ending);
}

void pl_flow_resume(pl_flow_t *flow, enum pl_error_code error)
{
    set_state(flow, PL_FLOW_RUNNING);
    flow->abandon_reads = NULL;
    flow->error = error;
    if (!run(flow, PL_TURN_JUDGE))
        finish(flow);
}

void pl_flow_abandon(pl_flow_t *flow)
{
    flow->is_abandoned = true;
    if (flow->abandon_reads != NULL && must_stop(flow))
        flow->abandon_reads(flow);
}

/* ---- checks ---- */

static enum pl_error_code take_user(pl_flow_t *flow, const pl_user_check_t *check)
{
    flow->exists = check->exists;
    return check->error;
}

static void on_user_checked(pl_user_check_t *check)
{
    pl_flow_t *flow = H2O_STRUCT_FROM_MEMBER(pl_flow_t, check.user, check);
    pl_flow_resume(flow, take_user(flow, check));
}

pl_turn_t pl_flow_check_user(pl_flow_t *flow, int64_t user_id)
{
    pl_user_check_t *check = &flow->check.user;

    *check = (pl_user_check_t){.user_id = user_id, .on_done = on_user_checked};
    if (!pl_user_check_start(flow->core->user_checks, check))
        return PL_TURN_WAIT;
    flow->error = take_user(flow, check);
    return PL_TURN_JUDGE;
}

static enum pl_error_code take_actor(pl_flow_t *flow, const pl_actor_check_t *check)
{
    flow->exists = check->result == PL_ACTOR_ACCEPTED;
    return check->result == PL_ACTOR_OVERLOADED ? PL_ERROR_OVERLOADED : PL_OK;
}

static void on_actor_checked(pl_actor_check_t *check)
{
    pl_flow_t *flow = H2O_STRUCT_FROM_MEMBER(pl_flow_t, check.actor, check);
    pl_flow_resume(flow, take_actor(flow, check));
}

pl_turn_t pl_flow_check_actor(pl_flow_t *flow, int64_t user_id)
{
    pl_actor_check_t *check = &flow->check.actor;

    *check = (pl_actor_check_t){.user_id = user_id, .on_done = on_actor_checked};
    if (!pl_actor_check_start(flow->core, check))
        return PL_TURN_WAIT;
    flow->error = take_actor(flow, check);
    return PL_TURN_JUDGE;
}

static enum pl_error_code take_message(pl_flow_t *flow, const pl_reply_check_t *check)
{
    flow->exists = check->exists;
    return check->error;
}

static void on_message_checked(pl_reply_check_t *check)
{
    pl_flow_t *flow = H2O_STRUCT_FROM_MEMBER(pl_flow_t, check.reply, check);
    pl_flow_resume(flow, take_message(flow, check));
}

pl_turn_t pl_flow_check_message(pl_flow_t *flow, pl_reply_checks_t *checks, int64_t actor_id,
                                int64_t peer_id, int64_t message_id)
{
    pl_reply_check_t *check = &flow->check.reply;

    *check = (pl_reply_check_t){
        .sender_id = actor_id,
        .recipient_id = peer_id,
        .message_id = message_id,
        .on_done = on_message_checked,
    };
    if (!pl_reply_check_start(checks, check))
        return PL_TURN_WAIT;
    flow->error = take_message(flow, check);
    return PL_TURN_JUDGE;
}

/* ---- passwords ---- */

static void on_password_done(pl_password_work_t *work, pl_password_job_t *job)
{
    pl_flow_t *flow = H2O_STRUCT_FROM_MEMBER(pl_flow_t, check.password, work);

    flow->job = job;
    flow->exists = job->result == PL_PASSWORD_MATCH || job->result == PL_PASSWORD_HASHED;
    pl_flow_resume(flow, PL_OK);
}

static pl_password_work_t *begin_password(pl_flow_t *flow)
{
    flow->check.password = (pl_password_work_t){
        .loop = flow->core->loop,
        .on_done = on_password_done,
    };
    return &flow->check.password;
}

static pl_turn_t await_password(pl_flow_t *flow, int submitted)
{
    if (submitted == 0)
        return PL_TURN_WAIT;
    flow->error = PL_ERROR_OVERLOADED;
    return PL_TURN_JUDGE;
}

pl_turn_t pl_flow_hash(pl_flow_t *flow, const char *password, size_t len)
{
    return await_password(flow, pl_password_work_hash(begin_password(flow),
                                                      flow->core->deps.passwords, password, len));
}

pl_turn_t pl_flow_verify(pl_flow_t *flow, const char *password, size_t len, const char *hash)
{
    return await_password(flow,
                          pl_password_work_verify(begin_password(flow), flow->core->deps.passwords,
                                                  password, len, hash));
}

/* ---- operations ---- */

static void on_op_done(pl_op_t *op)
{
    pl_flow_resume(op->owner, op->error);
}

pl_turn_t pl_flow_submit(pl_flow_t *flow, pl_lane_t *lane, pl_op_t *op)
{
    op->owner = flow;
    op->on_done = on_op_done;
    if (op->deadline_ms == 0)
        op->deadline_ms = flow->deadline_ms;
    flow->op = op;
    if (pl_lane_submit(lane, op) == 0)
        return PL_TURN_WAIT;
    op->error = flow->error = PL_ERROR_OVERLOADED;
    return PL_TURN_JUDGE;
}

static void abandon_op(pl_flow_t *flow)
{
    flow->op->abandoned = true;
}

pl_turn_t pl_flow_read(pl_flow_t *flow, pl_op_t *op)
{
    pl_turn_t turn = pl_flow_submit(flow, pl_cluster_read_lane(flow->core->deps.cluster, op->shard),
                                    op);
    flow->abandon_reads = turn == PL_TURN_WAIT ? abandon_op : NULL;
    return turn;
}
