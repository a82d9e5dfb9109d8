/*
 * Settling the outbox: the row of a sender's copy that is there is deleted later, with many others.
 *
 * A settler belongs to one loop. It collects for a moment and then gives all rows of a database to
 * one of the loop's read lanes, whose transaction need not wait for the disk: a row that comes back
 * after a crash is settled again by the relay.
 */
#ifndef PL_STORE_OUTBOX_H
#define PL_STORE_OUTBOX_H

#include <stdint.h>

#include "db/cluster.h"
#include "loop/loop.h"
#include "store/change.h"

typedef struct pl_settler pl_settler_t;

/* On the loop's thread. Lives as long as the loop. */
pl_settler_t *pl_settler_create(pl_loop_t *loop, const pl_cluster_t *cluster);

/* Forgets what the outbox owes for that message: the sender's copy is committed. Best effort. */
void pl_settler_add(pl_settler_t *settler, int64_t recipient_id, int64_t sender_id,
                    int64_t message_id);

/* The same of a row of the change outbox: the change is made. */
void pl_settler_add_change(pl_settler_t *settler, const pl_owed_change_t *owed);

#endif
