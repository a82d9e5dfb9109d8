/*
 * Runs a transaction, and retries it after a lock timeout.
 */
#include "ctl/transaction.h"

#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"

/*
 * The pause between two attempts lets the queries run that waited behind the lock request. It is
 * random, so that two parleyctls do not retry at the same moments.
 */
#define RETRY_PAUSE_MIN_MS 200
#define RETRY_PAUSE_MAX_MS 800

static int attempt(pl_session_t *session, pl_transaction_body *body, void *arg,
                   pl_outcome_t *outcome)
{
    if (pl_session_run(session, "BEGIN", "begin", outcome) < 0 || body(session, arg, outcome) < 0)
        return -1;
    if (PQtransactionStatus(session->conn) != PQTRANS_INTRANS) {
        return pl_fail(outcome, PL_EXIT_FAILED,
                       "%s: the SQL ended its transaction; a file must not contain COMMIT or"
                       " ROLLBACK",
                       session->label);
    }
    return pl_session_run(session, "COMMIT", "commit", outcome);
}

int pl_transaction_run(pl_session_t *session, pl_transaction_body *body, void *arg, int wait_s,
                       pl_outcome_t *outcome)
{
    int64_t deadline_ms = pl_clock_monotonic_ms() + wait_s * INT64_C(1000);

    for (;;) {
        if (attempt(session, body, arg, outcome) == 0) {
            /* Remove the failure of an earlier attempt. */
            outcome->code = PL_EXIT_OK;
            outcome->message[0] = '\0';
            return 0;
        }
        pl_session_rollback(session);
        if (outcome->code != PL_EXIT_BLOCKED || pl_clock_monotonic_ms() >= deadline_ms)
            return -1;
        int64_t pause_ms = pl_random_between(RETRY_PAUSE_MIN_MS, RETRY_PAUSE_MAX_MS);
        struct timespec pause = {0, pause_ms * INT64_C(1000000)};
        nanosleep(&pause, NULL);
    }
}
