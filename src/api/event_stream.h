/* The event streams of a loop. */
#ifndef PL_API_EVENT_STREAM_H
#define PL_API_EVENT_STREAM_H

#include "api/updates.h"

/* Ends all of them. One that has bytes in flight ends when they are sent. */
void pl_event_stream_drain(pl_updates_t *updates);

#endif
