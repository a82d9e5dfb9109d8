/*
 * The users whose presence a stream watches.
 *
 *   created --check--> reading the peers --answered--> WATCHING
 *                         \--failed--> created, until the next heartbeat
 *
 * The watch registers for all users before it asks the database with which of them the viewer has a
 * conversation, so that no change in between is missed. Nothing is told of the others, who are
 * strangers. When the viewer's mailbox changes the database is asked again, as long as there are
 * strangers: one of them may have become a peer. A peer stays one, since a conversation does not
 * end.
 *
 * A user may hide or show their presence at any time, and on another server too. So the database is
 * asked before a change is told, and at each heartbeat for users who were told to be online. A user
 * who hides goes offline for those who watch, without a time, and is not told of again.
 */
#ifndef PL_CORE_PRESENCE_WATCH_H
#define PL_CORE_PRESENCE_WATCH_H

#include "core/core.h"
#include "core/presence.h"

typedef struct pl_presence_watch pl_presence_watch_t;

/* Called when there is something to take; never from inside a pl_presence_watch_ call. It may
 * destroy the watch. */
typedef void (*pl_presence_watch_changed_fn)(void *owner);

/* Of `check` the ids and the caller are copied. NULL: too much is watched in the process. */
pl_presence_watch_t *pl_presence_watch_create(pl_core_t *core,
                                              const pl_conversations_check_t *check,
                                              pl_presence_watch_changed_fn on_changed,
                                              void *owner) PL_MUST_USE;

/* Does nothing to NULL. */
void pl_presence_watch_destroy(pl_presence_watch_t **watch);

/* Every heartbeat: asks whom the caller may see, unless that is known or being asked, and whether
 * they still show themselves. */
void pl_presence_watch_check(pl_presence_watch_t *watch);

/* The viewer's mailbox has changed. */
void pl_presence_watch_mailbox_changed(pl_presence_watch_t *watch);

/* Calls `take` with an event for each user whose state is not the one that was taken last. At first
 * that is each user who shows their presence; none before WATCHING. */
typedef void (*pl_presence_watch_take_fn)(void *arg, const pl_event_t *event);
void pl_presence_watch_take(pl_presence_watch_t *watch, pl_presence_watch_take_fn take, void *arg);

#endif
