/*
 * Reads the endings of other servers (parley.auth_ending) from every database: at each heartbeat,
 * and before the server takes its first request. It also has the databases delete
 * expired sessions and old endings.
 *
 * The first read gives all endings that may refuse a valid token. Each later read gives those since
 * the read before, with an overlap for transactions that committed late.
 *
 * If a database is away at the start, its endings are read as soon as it is there. Until then
 * tokens of its users are accepted that this server has not seen to end.
 */
#ifndef PL_CORE_ENDINGS_READER_H
#define PL_CORE_ENDINGS_READER_H

#include <stdbool.h>

#include "auth/endings.h"
#include "config/config.h"
#include "db/cluster.h"
#include "loop/loop.h"
#include "push/hub.h"
#include "store/session.h"

typedef struct pl_endings_reader pl_endings_reader_t;

/* The endings of a process with that configuration. Never NULL. */
pl_endings_t *pl_endings_create_configured(const pl_config_t *config);

/* One for the process; it lives as long as that, and so does all that it is given. Never NULL. */
pl_endings_reader_t *pl_endings_reader_create(const pl_config_t *config,
                                              const pl_cluster_t *cluster, pl_endings_t *endings,
                                              pl_hub_t *hub);

/* For the reads before the start, one after the other: the next read of a database; and its result.
 * True: there is more to read. The rows are freed. */
void pl_endings_reader_prepare(const pl_endings_reader_t *reader, int database,
                               pl_endings_read_t *read_r);
bool pl_endings_reader_take(pl_endings_reader_t *reader, int database, pl_endings_read_t *read);

/* Reads at each heartbeat from now on, in lanes of that loop. On its thread, once. */
void pl_endings_reader_start(pl_endings_reader_t *reader, pl_loop_t *loop);

#endif
