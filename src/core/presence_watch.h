/*
 * The users whose presence a stream watches.
 *
 *   created --check--> reading the peers --answered--> WATCHING
 *                         \--failed--> created, until the next heartbeat
 *
 * The watch registers for all users before it asks the database with which of them the viewer has a
 * conversation, so that no change in between is missed. For the others, the strangers, it gives no
 * events. When the viewer's mailbox changes, the database is asked again as long as there are
 * strangers, because one of them may have become a peer. A peer stays one, because a conversation
 * never ends.
 *
 * A user may hide or show their presence at any time, also on another server. So the database is
 * asked before a change is given to the owner, and at each heartbeat for users whose last given
 * state was online. For a user who hides, the watch gives an event that the user is offline,
 * without a time, and no further events.
 */
#ifndef PL_CORE_PRESENCE_WATCH_H
#define PL_CORE_PRESENCE_WATCH_H

#include "core/core.h"
#include "core/presence.h"

typedef struct pl_presence_watch pl_presence_watch_t;

/* Called when there is something to take; never from inside a pl_presence_watch_ call. It may
 * destroy the watch. */
typedef void (*pl_presence_watch_changed_fn)(void *owner);

/* The ids in `check` and the caller's id are copied. NULL: too many users are watched in the
 * process. */
pl_presence_watch_t *pl_presence_watch_create(pl_core_t *core,
                                              const pl_conversations_check_t *check,
                                              pl_presence_watch_changed_fn on_changed,
                                              void *owner) PL_MUST_USE;

/* Does nothing if *watch is NULL. */
void pl_presence_watch_destroy(pl_presence_watch_t **watch);

/* Called every heartbeat: asks which users the caller may see, unless that is known or being read,
 * and whether they still show their presence. */
void pl_presence_watch_check(pl_presence_watch_t *watch);

/* The viewer's mailbox has changed. */
void pl_presence_watch_mailbox_changed(pl_presence_watch_t *watch);

/* Calls `take` with an event for each user whose state differs from the one that was taken last.
 * The first time, that is each user who shows their presence. Before WATCHING there are no
 * events. */
typedef void (*pl_presence_watch_take_fn)(void *arg, const pl_event_t *event);
void pl_presence_watch_take(pl_presence_watch_t *watch, pl_presence_watch_take_fn take, void *arg);

#endif
