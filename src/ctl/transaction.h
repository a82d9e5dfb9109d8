/*
 * One transaction, which is tried again if it meets a lock.
 */
#ifndef PL_CTL_TRANSACTION_H
#define PL_CTL_TRANSACTION_H

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"

/* Runs the statements of the transaction. Called again from the start if it met a lock. Returns 0,
 * or -1 with outcome. */
typedef int pl_transaction_body(pl_session_t *session, void *arg, pl_outcome_t *outcome);

/*
 * Runs BEGIN, body and COMMIT. A lock timeout or a deadlock ends an attempt; it is repeated after a
 * random pause, until wait_s seconds are over. Returns 0, or -1 with `outcome`. On -1 nothing has
 * changed, unless the outcome is PL_EXIT_UNREACHABLE: then the commit may or may not have happened,
 * and the command can be run again. PL_EXIT_FAILED if the body ends the transaction itself.
 */
int pl_transaction_run(pl_session_t *session, pl_transaction_body *body, void *arg, int wait_s,
                       pl_outcome_t *outcome) PL_MUST_USE;

#endif
