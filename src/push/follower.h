/*
 * Following one mailbox from a cursor: what a long-poll and a stream have in common.
 *
 *   IDLE --next--> READING --changes--> IDLE (on_delta)
 *                     |  ^
 *              nothing|  |woken, or the heartbeat's check found another version
 *                     v  |
 *                   WAITING --woken with the delta that begins at the cursor--> IDLE (on_delta,
 * nothing read)
 *
 * The owner asks for the next delta when it can take it (pl_follower_next), so a slow client costs
 * no memory: changes stay in the database. A wake-up while IDLE or READING is remembered.
 */
#ifndef PL_PUSH_FOLLOWER_H
#define PL_PUSH_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/cluster.h"
#include "push/hub.h"

typedef struct pl_follower pl_follower_t;

/* The cursor of a follower that starts at the mailbox's version of now. */
#define PL_FOLLOW_FROM_NOW (-1)

typedef struct pl_delta {
    const char *json; /* a Delta of the contract */
    size_t len;
    int64_t cursor; /* its lastUpdatedTimestamp */
    bool has_more;
} pl_delta_t;

/* Called on the loop's thread, never from inside a pl_follower_ call. A callback may destroy the
 * follower. */
typedef struct pl_follower_callbacks {
    /* A delta that says something: changes, or that the client must start anew. The follower is
     * IDLE. */
    void (*on_delta)(void *owner, const pl_delta_t *delta);
    /* There is nothing more up to `cursor`: the follower waits. After each pl_follower_next that
     * had to read. */
    void (*on_waiting)(void *owner, int64_t cursor);
    /* A read failed; PL_ERROR_INVALID: there is no such user. The follower is IDLE. */
    void (*on_error)(void *owner, enum pl_error_code error);
    /* Every heartbeat, whatever the state. */
    void (*on_heartbeat)(void *owner);
    /* An ephemeral event of the user, whatever the state. NULL: the owner takes none. */
    void (*on_event)(void *owner, const pl_event_t *event);
} pl_follower_callbacks_t;

typedef struct pl_follower_settings {
    pl_hub_local_t *hub;
    const pl_cluster_t *cluster;
    uint64_t heartbeat_ms;
    uint64_t deadline_ms;   /* for one read */
    size_t max_delta_bytes; /* a longer delta is cut into several, of at least one message each */
} pl_follower_settings_t;

/* NULL: too many wait already. `settings` and `callbacks` must outlive it. */
pl_follower_t *pl_follower_create(const pl_follower_settings_t *settings, int64_t user_id,
                                  int64_t cursor, int32_t page_size,
                                  const pl_follower_callbacks_t *callbacks, void *owner)
    __attribute__((warn_unused_result));

void pl_follower_destroy(pl_follower_t **follower);

/* Asks for the next delta. Does nothing unless IDLE. */
void pl_follower_next(pl_follower_t *follower);

int64_t pl_follower_user_id(const pl_follower_t *follower);

/* The cursor; PL_FOLLOW_FROM_NOW until the mailbox was read for the first time: a cursor that a
 * client came with may be from a future that never was. */
int64_t pl_follower_cursor(const pl_follower_t *follower);

#endif
