/* Ends a loop's long-polls and streams for a shutdown. */
#ifndef PL_API_UPDATES_DRAIN_H
#define PL_API_UPDATES_DRAIN_H

#include "api/updates.h"

/* Long-polls answer with what they have, streams close after a `retry:` that spreads the clients'
 * return. New ones are refused. */
void pl_updates_drain(pl_updates_t *updates);

#endif
