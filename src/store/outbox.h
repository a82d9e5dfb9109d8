/*
 * Settling the outbox: the entry of a sender's copy that is stored is deleted later, together with
 * many others.
 *
 * A settler belongs to one loop. It collects for a moment and then gives all entries of a database
 * to one of the loop's read lanes. That transaction does not wait for the disk: if a crash undoes
 * it, the relay settles the entry again.
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

/* Settles the entry of a message whose sender's copy is committed. Best effort. */
void pl_settler_add(pl_settler_t *settler, int64_t recipient_id, int64_t sender_id,
                    int64_t message_id);

/* Settles an entry of the change outbox whose change is made. Best effort. */
void pl_settler_add_follow_up(pl_settler_t *settler, const pl_follow_up_t *follow_up);

#endif
