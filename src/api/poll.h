/* The long-polls of a loop. */
#ifndef PL_API_POLL_H
#define PL_API_POLL_H

#include "api/updates.h"

/* Answers all of them with what they have. */
void pl_poll_drain(pl_updates_t *updates);

#endif
