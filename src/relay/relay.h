/*
 * The relay makes the follow-ups (senders' copies too) that the first attempt did not make: each
 * has an outbox entry. It handles the entries of every server, so an entry does not depend on the
 * server that caused it.
 *
 * The relay is one thread with blocking connections of its own, by the direct DSNs. At each
 * interval it sweeps both outboxes of each database: it reads them, without locks, and picks the
 * entries that are due. An entry is due if it is older than a first attempt takes, or if the sweep
 * before saw it too (so that a clock that stepped back delays nothing). If the target database is
 * reachable, the relay claims the due entries in one transaction (FOR UPDATE SKIP LOCKED: two
 * relays never work on the same entry), writes their follow-ups in the target databases, and
 * settles the entries, that is, deletes them.
 *
 * The process may be killed between any two steps: the locks end with the connection, and a
 * follow-up that is written twice changes nothing the second time.
 */
#ifndef PL_RELAY_RELAY_H
#define PL_RELAY_RELAY_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "directory/shard_map.h"
#include "store/message_write.h"

typedef struct pl_relay pl_relay_t;

/* Starts the thread. `config`, `map` and `listener` (called on the relay's thread after each
 * commit) must outlive it. Returns 0, or -1 with PL_ERROR_INTERNAL. The relay lives as long as the
 * process. */
int pl_relay_start(const pl_config_t *config, const pl_shard_map_t *map,
                   pl_commit_listener_t *listener, pl_relay_t **relay_r, pl_error_t *error)
    __attribute__((warn_unused_result));

/* Asks the thread to end after its current step, and returns at once. From any thread. */
void pl_relay_stop(pl_relay_t *relay);

/* Waits until a stopped relay has ended, for one second at most. False: it still waits for a
 * database; then the process must end without exit handlers (_exit), since the thread still
 * runs. */
bool pl_relay_await(pl_relay_t *relay) __attribute__((warn_unused_result));

#endif
