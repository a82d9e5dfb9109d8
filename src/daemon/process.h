/*
 * The running server: workers, relay, admin listener, and the way down.
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

/* Serves until a signal of `stop` (blocked in the caller, and so in every thread) has come and the
 * drain is over. Takes `map`. -1 when it could not start, with the error that says why. */
int pl_process_run(const pl_config_t *config, pl_shard_map_t *map, const sigset_t *stop,
                   pl_error_t *error) __attribute__((warn_unused_result));

#endif
