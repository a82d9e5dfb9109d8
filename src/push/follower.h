/*
 * A follower reads one mailbox from a cursor, for one long-poll or stream, and passes on what
 * changed. Its waiter is its registration in the hub.
 *
 *   IDLE --next--> READING --changes, or an error--> IDLE (on_delta, on_error)
 *     |               |  ^
 *     |     no changes|  |wake-up, or the heartbeat's check found another version
 *     |               v  |
 *     `---next---> WAITING --wake-up with a delta that begins at the cursor--> IDLE (on_delta)
 *
 * `next` goes straight to WAITING if the mailbox is known to hold nothing beyond the cursor.
 *
 * The owner asks for the next delta when it can take it (pl_follower_next), so a slow client needs
 * no memory: the changes stay in the database. A wake-up while IDLE or READING is remembered.
 *
 * A follower belongs to the loop of its hub-local; only that thread may use it (asserted).
 */
#ifndef PL_PUSH_FOLLOWER_H
#define PL_PUSH_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/cluster.h"
#include "push/hub.h"

typedef struct pl_follower pl_follower_t;

/* A cursor that means: start at the mailbox's present version. */
#define PL_FOLLOW_FROM_NOW (-1)

typedef struct pl_delta {
    const char *json; /* a Delta of the API, valid during the callback */
    size_t len;
    int64_t cursor; /* its lastUpdatedTimestamp */
    bool has_more;
} pl_delta_t;

/* Called on the loop's thread, never from inside a pl_follower_ call. A callback may destroy the
 * follower. */
typedef struct pl_follower_callbacks {
    /* There are changes, or the client must replace its view. The follower is IDLE. */
    void (*on_delta)(void *owner, const pl_delta_t *delta);
    /* A read found nothing beyond `cursor`: the follower is WAITING. Not called if pl_follower_next
     * did not need to read. */
    void (*on_waiting)(void *owner, int64_t cursor);
    /* A read failed. PL_ERROR_INVALID: there is no such user. The follower is IDLE. */
    void (*on_error)(void *owner, enum pl_error_code error);
    /* Called every heartbeat, in any state. */
    void (*on_heartbeat)(void *owner);
    /* An ephemeral event of the user, in any state, valid during the call. May be NULL. */
    void (*on_event)(void *owner, const pl_event_t *event);
    /* Sessions of the user have ended, perhaps the owner's; in any state. May be NULL. */
    void (*on_recheck)(void *owner);
} pl_follower_callbacks_t;

typedef struct pl_follower_settings {
    pl_hub_local_t *hub;
    const pl_cluster_t *cluster;
    uint64_t heartbeat_ms;
    uint64_t deadline_ms;   /* for one read */
    size_t max_delta_bytes; /* a longer delta is split; each part has at least one message */
} pl_follower_settings_t;

/* Creates an IDLE follower. `page_size` limits the messages of one delta. `settings`, `callbacks`
 * and `owner` must outlive it. Returns NULL if there are too many waiters already. */
pl_follower_t *pl_follower_create(const pl_follower_settings_t *settings, int64_t user_id,
                                  int64_t cursor, int32_t page_size,
                                  const pl_follower_callbacks_t *callbacks, void *owner)
    __attribute__((warn_unused_result));

/* Frees the follower and sets *follower to NULL; does nothing if it is NULL. No callback comes
 * afterwards. May be called in a callback. */
void pl_follower_destroy(pl_follower_t **follower);

/* Asks for the next delta. Does nothing unless the follower is IDLE. No callback comes before this
 * returns. */
void pl_follower_next(pl_follower_t *follower);

int64_t pl_follower_user_id(const pl_follower_t *follower);

/* Returns the cursor, or PL_FOLLOW_FROM_NOW until the mailbox was read for the first time: before
 * that, the client's cursor may be later than the mailbox's version. */
int64_t pl_follower_cursor(const pl_follower_t *follower);

#endif
