/*
 * The running server: it starts the workers, the relay and the admin listener, and drains them.
 *
 *
 *   serving --SIGTERM, SIGINT--> draining --nothing in flight, or drain_timeout--> stopped
 *                                    `--second signal--> stopped
 */
#ifndef PL_DAEMON_PROCESS_H
#define PL_DAEMON_PROCESS_H

#include <signal.h>

#include "base/error.h"
#include "config/config.h"
#include "directory/shard_map.h"

/* Serves until a signal of `stop` has come and the drain is over, then returns 0. The caller must
 * have blocked the signals of `stop`, so that every thread has them blocked. Takes ownership of
 * `map`. -1: it could not start; `error` has the reason. May exit the process instead of returning,
 * if the relay still waits for a database. */
int pl_process_run(const pl_config_t *config, pl_shard_map_t *map, const sigset_t *stop,
                   pl_error_t *error) __attribute__((warn_unused_result));

#endif
