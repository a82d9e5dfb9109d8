/* The long-polls of a loop. */
#ifndef PL_API_POLL_H
#define PL_API_POLL_H

#include "api/updates.h"

/* The longest `timeout` of fetchUpdates, in seconds. */
#define PL_POLL_TIMEOUT_MAX_S 60

/* Answers all of them with what they have. */
void pl_poll_drain(pl_updates_t *updates);

#endif
