/*
 * The relay: writes the senders' copies that the first attempt did not, for any server that is
 * alive.
 *
 * One thread with blocking connections of its own, by the direct DSNs. Every interval it sweeps
 * each database's outbox: in one transaction it takes rows that no other relay works on (FOR UPDATE
 * SKIP LOCKED), stores their copies in the senders' databases, and deletes the rows. It may be
 * killed between any two steps: the locks go with its connection, and a copy that is stored twice
 * is stored once.
 *
 * A row is touched only when it was there in the sweep before, too: a younger one is most likely on
 * its way in a lane. No clock is compared, so a clock step neither delays nor hastens it.
 */
#ifndef PL_RELAY_RELAY_H
#define PL_RELAY_RELAY_H

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

/* Ends the thread after its current step and waits for it. */
void pl_relay_stop(pl_relay_t **relay);

#endif
