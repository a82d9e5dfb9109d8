/*
 * One transaction, tried again when it meets a lock.
 */
#ifndef PL_CTL_TRANSACTION_H
#define PL_CTL_TRANSACTION_H

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"

/* Runs statements inside the transaction; called again from the start when it met a lock. */
typedef int pl_transaction_body(pl_session_t *session, void *arg, pl_outcome_t *outcome);

/*
 * BEGIN, body, COMMIT. lock_timeout and deadlocks end an attempt; attempts are repeated, with a
 * random pause, until wait_s seconds have gone. Returns 0, or -1 with `outcome` and nothing
 * changed, unless it is PL_EXIT_UNREACHABLE: then the commit may or may not have happened, and
 * running the command again finds out. A body that ends the transaction itself is PL_EXIT_FAILED.
 */
int pl_transaction_run(pl_session_t *session, pl_transaction_body *body, void *arg, int wait_s,
                       pl_outcome_t *outcome) PL_MUST_USE;

#endif
