/*
 * One PostgreSQL connection on one loop: connects, reconnects by itself, and runs one batch at a
 * time.
 *
 *   waiting --timer--> connecting --ready--> idle --pl_conn_sync--> busy --Sync answered--> idle
 *      ^                   |                  |                      |
 *      +------- failed ----+------ lost ------+--------- lost -------+
 *
 * A batch is the statements between two Syncs and one transaction. The next begins only when the
 * Sync of the last is answered: PgBouncer 1.18 hands one client's results to another when two
 * overlap.
 */
#ifndef PL_DB_CONN_H
#define PL_DB_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "db/params.h"
#include "loop/loop.h"

typedef struct pl_conn pl_conn_t;

/* Called on the loop's thread, never from inside a pl_conn_ call but pl_conn_drop. */
typedef struct pl_conn_callbacks {
    /* Idle now: a batch may be sent. After connecting and after each batch. */
    void (*on_idle)(void *owner);
    /* The batch's next statement answered. `result` is an error or PGRES_PIPELINE_ABORTED too; it
     * belongs to the callee, who clears it with PQclear. */
    void (*on_result)(void *owner, PGresult *result);
    /* The batch is over (the transaction has committed, or failed as a whole). `on_idle` follows.
     */
    void (*on_batch_end)(void *owner);
    /* The connection is gone; what a batch in flight did is unknown. It reconnects by itself. */
    void (*on_lost)(void *owner);
} pl_conn_callbacks_t;

/* `name` (for logs) and `dsn` are copied. It connects at once. Never NULL. */
pl_conn_t *pl_conn_create(pl_loop_t *loop, const char *name, const char *dsn,
                          const pl_conn_callbacks_t *callbacks, void *owner);

bool pl_conn_is_idle(const pl_conn_t *conn);

/* Adds a statement to the batch; results come in binary. Only while idle. -1: the connection is
 * broken (`on_lost` follows from the loop), nothing of the batch is committed unless pl_conn_sync
 * was called. */
int pl_conn_query(pl_conn_t *conn, const char *sql, const pl_params_t *params)
    __attribute__((warn_unused_result));

/* Ends the batch and sends it. Results as for pl_conn_query, but with -1 the outcome is unknown. */
int pl_conn_sync(pl_conn_t *conn) __attribute__((warn_unused_result));

/* Gives the connection up, as if it had been lost: for a batch that takes too long. Calls on_lost.
 */
void pl_conn_drop(pl_conn_t *conn, const char *reason);

#endif
