/* What parleyd needs to know before it serves: the shard map, and that its databases keep what they
 * acknowledge. */
#ifndef PL_DAEMON_START_H
#define PL_DAEMON_START_H

#include <signal.h>

#include "base/error.h"
#include "config/config.h"
#include "directory/shard_map.h"

/* Waits until the directory answers with an initialised system, and checks the durability of each
 * database that can be reached (the others are checked by the lanes when they come). Returns 0 with
 * the map; 1 when a signal of `stop` (blocked by the caller) came first; -1 when it must not run,
 * with the error that says why. */
int pl_start_wait(const pl_config_t *config, const sigset_t *stop, pl_shard_map_t **map_r,
                  pl_error_t *error) __attribute__((warn_unused_result));

#endif
