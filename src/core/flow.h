/*
 * A flow: a call as a table of steps, which run in the order of the table.
 *
 * Each step begins something (a check, a read, a write) and then judges its result. A step that has
 * to wait returns, and the flow continues at the same step when the answer is there:
 *
 *     NEW --start--> RUNNING --begin: PL_TURN_WAIT--> WAITING --the answer--> RUNNING
 *                       `----judge: PL_TURN_END, or no step is left----> ENDED --on_end
 *
 * The flow is embedded in the call's object, which lives until on_end. A call that changes
 * something runs to its end even if its caller has left. Before its change it may be abandoned.
 *
 * Varnish runs its steps in the same way, by one table and one loop (cache_req_fsm.c).
 */
#ifndef PL_CORE_FLOW_H
#define PL_CORE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "core/actor_check.h"
#include "core/core.h"
#include "core/outcome.h"
#include "core/password_work.h"
#include "core/reply_check.h"
#include "core/user_check.h"
#include "db/op.h"

typedef struct pl_flow pl_flow_t;

/* What a step's function says about the flow's next turn. */
typedef enum pl_turn {
    PL_TURN_WAIT,  /* begin: something will resume the flow */
    PL_TURN_JUDGE, /* begin: the answer is there already */
    PL_TURN_NEXT,  /* begin: there is nothing to do; judge: the result is good. To the next step */
    PL_TURN_AGAIN, /* judge: begin this step again */
    PL_TURN_END,   /* the flow ends with flow->outcome (DONE if none was set) */
} pl_turn_t;

typedef struct pl_step {
    const char *name; /* for logs; NULL ends the table */
    pl_turn_t (*begin)(pl_flow_t *flow);
    /* NULL: the flow goes on, unless `absent` is set and the checked thing does not exist. */
    pl_turn_t (*judge)(pl_flow_t *flow);
    enum pl_outcome_code absent;
    /* The judge is called after a failure too. Else a failure ends the flow. */
    bool judges_errors;
    /* It changes something: from here on the flow is not abandoned. */
    bool changes;
} pl_step_t;

enum pl_flow_state { PL_FLOW_NEW, PL_FLOW_RUNNING, PL_FLOW_WAITING, PL_FLOW_ENDED };

struct pl_flow {
    pl_core_t *core;
    const pl_step_t *step;
    enum pl_flow_state state;
    bool is_abandoned;
    bool has_changed; /* a step with `changes` has begun */
    /* While the flow waits for reads in lanes of this loop: abandons those that are still queued.
     * pl_flow_read sets it; a step that submits several reads sets its own. */
    void (*abandon_reads)(pl_flow_t *flow);
    uint64_t deadline_ms; /* of the whole flow, for its operations */
    pl_outcome_t outcome;
    void (*on_end)(pl_flow_t *flow);
    pl_deferred_t ending;
    /* For the judge: */
    bool exists;              /* what was checked */
    enum pl_error_code error; /* why there is no answer */
    pl_op_t *op;              /* the operation that the step waited for, or NULL */
    union {
        pl_user_check_t user;
        pl_actor_check_t actor;
        pl_reply_check_t reply;
        pl_password_work_t password;
    } check;
    pl_password_job_t *job; /* the password's; freed by the flow */
};

/* Starts a zeroed flow. on_end is called once, never before this returns: it frees the object. It
 * finds the outcome, which is PL_OUTCOME_DONE unless a step has set another. */
void pl_flow_start(pl_flow_t *flow, pl_core_t *core, const pl_step_t *steps,
                   void (*on_end)(pl_flow_t *flow));

/* Called when the answer that a step waits for is there. `error`: why there is none. */
void pl_flow_resume(pl_flow_t *flow, enum pl_error_code error);

/* The caller no longer waits for the flow. If it has changed nothing yet, it ends as soon as
 * possible with PL_OUTCOME_ABANDONED, and a read that is still queued in its lane is not sent. */
void pl_flow_abandon(pl_flow_t *flow);

/* For a step to return: ends the flow with that outcome. */
pl_turn_t pl_flow_end(pl_flow_t *flow, enum pl_outcome_code code);
/* The same, with the failure in flow->error and flow->op. */
pl_turn_t pl_flow_fail(pl_flow_t *flow);

/* ---- what a step's `begin` returns ---- */

/* Checks that the user exists; the result is in `flow->exists`. */
pl_turn_t pl_flow_check_user(pl_flow_t *flow, int64_t user_id);
/* Checks that the acting user exists, or cannot be read now (core/actor_check.h). */
pl_turn_t pl_flow_check_actor(pl_flow_t *flow, int64_t user_id);
/* Checks that the message exists to which a send replies, or to which a user reacts
 * (core/reply_check.h). `message_id` 0: there is no such message, and the check succeeds. */
pl_turn_t pl_flow_check_message(pl_flow_t *flow, pl_reply_checks_t *checks, int64_t actor_id,
                                int64_t peer_id, int64_t message_id);

/* Hashes the password, for flow->job->hash. */
pl_turn_t pl_flow_hash(pl_flow_t *flow, const char *password, size_t len);
/* Checks that it is the password of that hash. NULL: it is not, but the same work is done. */
pl_turn_t pl_flow_verify(pl_flow_t *flow, const char *password, size_t len, const char *hash);

/* Submits the operation, which lives as long as the flow. Its on_done and owner are set here, and
 * so is its deadline, if it has none yet. */
pl_turn_t pl_flow_submit(pl_flow_t *flow, pl_lane_t *lane, pl_op_t *op);
/* The same for a read of op->shard, in a lane of this loop; abandoned with the flow. */
pl_turn_t pl_flow_read(pl_flow_t *flow, pl_op_t *op);

#endif
