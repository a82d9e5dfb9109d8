/*
 * fetchUpdates (long-poll) and streamUpdates (server-sent events): both follow the caller's mailbox
 * from a cursor.
 */
#ifndef PL_API_UPDATES_H
#define PL_API_UPDATES_H

#include "api/context.h"

typedef struct pl_updates pl_updates_t;

/* What a loop needs for its long-polls and streams. On the loop's thread; lives as long as the
 * loop. */
pl_updates_t *pl_updates_create(pl_api_t *api);

/* Ends them all for a shutdown: long-polls answer with what they have, streams close after a
 * `retry:` that spreads the clients' return. New ones are refused. */
void pl_updates_drain(pl_updates_t *updates);

#endif
