/* The conditions for serving: the shard map must be known, and the commits of the databases must be
 * durable. */
#ifndef PL_DAEMON_START_H
#define PL_DAEMON_START_H

#include <signal.h>

#include "base/error.h"
#include "config/config.h"
#include "directory/shard_map.h"

/* Waits until the directory has an initialised system. Then checks the durability of each database
 * that is reachable; the lanes check the others when they connect. Returns 0 with a map that the
 * caller owns; 1 if a signal of `stop` (which the caller has blocked) came first; -1 if the server
 * must not run, with the reason in `error`. */
int pl_start_wait(const pl_config_t *config, const sigset_t *stop, pl_shard_map_t **map_r,
                  pl_error_t *error) __attribute__((warn_unused_result));

#endif
