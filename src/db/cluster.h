/*
 * The databases of the system and this process's lanes to them.
 *
 * Every mailbox has one write lane in the process, whichever worker its requests come to: so what a
 * server receives in order is stored in order, and few lanes are kept full. (Two of them may still
 * meet at a mailbox: a send within one database writes the sender's in the recipient's lane.) Reads
 * need none of this and take a lane of the worker that asks, so that they never wait for a commit.
 * What changes mailboxes otherwise (store/change.h) has a lane of its own, one in the process: in a
 * transaction with sends it would take locks in another order, and sends would wait for it.
 * The checks of cached pages and of users have a lane of their own, one in the process: they are
 * tiny, and what they cost is the statement.
 */
#ifndef PL_DB_CLUSTER_H
#define PL_DB_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "db/lane.h"
#include "directory/shard_map.h"
#include "loop/loop.h"

typedef struct pl_cluster pl_cluster_t;

/* Lanes for every database of `map` on each of the `loops`, not yet started. Takes `map`; `config`
 * must outlive it. `context` goes to on_committed. -1 with `error` when a database of the map has
 * no DSN in the configuration. */
int pl_cluster_create(const pl_config_t *config, pl_shard_map_t *map, pl_loop_t *const *loops,
                      size_t loops_count, void *context, pl_cluster_t **cluster_r,
                      pl_error_t *error) __attribute__((warn_unused_result));

/* Starts the lanes that belong to `loop`; on its thread. */
void pl_cluster_start(pl_cluster_t *cluster, pl_loop_t *loop);

/* How many shards the system has. */
int pl_cluster_shards(const pl_cluster_t *cluster);

/* Whether the system may have given out that id: not 0, and of a shard that there is. */
bool pl_cluster_has(const pl_cluster_t *cluster, int64_t id);

/* Whether one transaction can write both mailboxes. */
bool pl_cluster_share_database(const pl_cluster_t *cluster, int64_t mailbox_id, int64_t other_id);

/* The one lane in which this process writes `mailbox_id`'s mailbox. */
pl_lane_t *pl_cluster_write_lane(const pl_cluster_t *cluster, int64_t mailbox_id);

/* The one lane in which this process changes mailboxes of that database otherwise. */
pl_lane_t *pl_cluster_change_lane(const pl_cluster_t *cluster, int64_t mailbox_id);

/* The one lane in which this process checks the versions of cached pages and whether users exist:
 * one for all threads, so that the checks of all come in large batches. An operation in it cannot
 * be abandoned. */
pl_lane_t *pl_cluster_check_lane(const pl_cluster_t *cluster, int64_t mailbox_id);

/* A lane of the calling thread's loop for reads of a shard. */
pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard);

/* Whether some database has a working connection: what /readyz asks. One that is away must not take
 * the server from those whose mailboxes are in the others. From any thread. */
bool pl_cluster_is_ready(const pl_cluster_t *cluster);

/* Calls `visit` for each lane: for gauges. From any thread. */
void pl_cluster_visit_lanes(const pl_cluster_t *cluster,
                            void (*visit)(void *arg, const char *database, const char *kind,
                                          const pl_lane_t *lane),
                            void *arg);

#endif
