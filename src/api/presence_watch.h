/*
 * The users whose presence a stream watches.
 *
 *   created --check--> CHECKING --answered--> WATCHING
 *                         \--failed--> created, until the next heartbeat
 *
 * It registers for all of them before it asks the database whom the caller may see, so that no
 * change between is missed, and drops the others then. That is settled once, for the stream's life:
 * a conversation does not end.
 *
 * Whether a user shows their presence may change any time. So it is asked before a change is told,
 * and at each heartbeat of those who were told to be online, for a user may hide on another server.
 * One who hides goes offline for those who watch, without a time, and is not told of again.
 */
#ifndef PL_API_PRESENCE_WATCH_H
#define PL_API_PRESENCE_WATCH_H

#include "api/context.h"
#include "api/presence.h"

typedef struct pl_presence_watch pl_presence_watch_t;

/* There is something to take; never from inside a pl_presence_watch_ call. It must not destroy the
 * watch. */
typedef void (*pl_presence_watch_changed_fn)(void *owner);

/* Of `check` the ids and the caller are copied. NULL: too much is watched in the process. */
pl_presence_watch_t *pl_presence_watch_create(pl_api_t *api, const pl_conversations_check_t *check,
                                              pl_presence_watch_changed_fn on_changed,
                                              void *owner) PL_MUST_USE;

/* Does nothing to NULL. */
void pl_presence_watch_destroy(pl_presence_watch_t **watch);

/* Every heartbeat: asks whom the caller may see, unless that is known or being asked, and whether
 * they still show themselves. */
void pl_presence_watch_check(pl_presence_watch_t *watch);

/* Appends an event for each user whose state is not the one that was taken last. At first that is
 * each of them who shows theirs; none before WATCHING. */
void pl_presence_watch_take(pl_presence_watch_t *watch, pl_buffer_t *out);

#endif
