/*
 * The relay: writes the senders' copies and makes the changes that the first attempt did not, for
 * any server that is alive.
 *
 * One thread with blocking connections of its own, by the direct DSNs. Every interval it looks
 * through each database's two outboxes, without locks, for rows that are due: older than a first
 * attempt takes, or seen in the sweep before (so that a clock that has stepped back delays none).
 * Those whose target can be reached it claims in one transaction (FOR UPDATE SKIP LOCKED: no two
 * relays work on one row), does what they owe in the targets' databases, and deletes them. It may
 * be killed between any two steps: the locks go with its connection, and what is done twice is done
 * once.
 */
#ifndef PL_RELAY_RELAY_H
#define PL_RELAY_RELAY_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "directory/shard_map.h"
#include "store/message_write.h"

typedef struct pl_relay pl_relay_t;

/* Starts the thread. `config`, `map` and `listener` (told of the copies, on the relay's thread)
 * must outlive it. */
int pl_relay_start(const pl_config_t *config, const pl_shard_map_t *map,
                   pl_commit_listener_t *listener, pl_relay_t **relay_r, pl_error_t *error)
    __attribute__((warn_unused_result));

/* Asks the thread to end after its current step. */
void pl_relay_stop(pl_relay_t *relay);

/* Waits for the end of a relay that was stopped, for a second at most. False: it waits for a
 * database still, so the process must end without clearing up behind it (_exit). */
bool pl_relay_await(pl_relay_t *relay) __attribute__((warn_unused_result));

#endif
