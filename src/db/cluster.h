/*
 * The databases of the system, and this process's lanes to them. For each database the process has:
 *
 * - Write lanes, for sends to users. Every mailbox has exactly one of them, whichever worker
 * received the request. So sends that a server receives in order are stored in order, and a few
 * lanes are kept full. (Two write lanes can still lock the same mailbox: if both users are in one
 * database, the sender's copy is written in the lane of the recipient's mailbox.)
 * - One change lane, for all other writes (store/change.h). Changes take their locks in another
 *   order than sends; in one transaction with sends they would make the sends wait.
 * - Read lanes, some for each worker, so that reads never wait for a commit. They serve users in
 * turn, so that no user waits for all the reads of another.
 * - One check lane, for version checks of cached pages and for checks whether users exist. These
 *   are tiny: nearly all of their cost is the statement, so one lane makes the batches as large
 *   as possible.
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

/* Creates the lanes for every database of `map`, shared out over the `loops` but not yet started.
 * Takes ownership of `map`; `config` and the loops must outlive the cluster, which lives as long as
 * the process. `context` is passed to on_committed. Returns -1 with PL_ERROR_INVALID if a database
 * of the map is not in the configuration. From any thread. */
int pl_cluster_create(const pl_config_t *config, pl_shard_map_t *map, pl_loop_t *const *loops,
                      size_t loops_count, void *context, pl_cluster_t **cluster_r,
                      pl_error_t *error) __attribute__((warn_unused_result));

/* Starts the lanes that belong to `loop`. On its thread, once. */
void pl_cluster_start(pl_cluster_t *cluster, pl_loop_t *loop);

/* All below may be called from any thread, unless they say otherwise. */

/* The number of shards of the system. */
int pl_cluster_shards(const pl_cluster_t *cluster);

/* True if the system can have made that id: it is above 0 and its shard exists. */
bool pl_cluster_can_have_id(const pl_cluster_t *cluster, int64_t id);

/* True if both mailboxes are in one database, so that one transaction can write both. */
bool pl_cluster_share_database(const pl_cluster_t *cluster, int64_t mailbox_id, int64_t other_id);

/* The number of databases; and one of the shards that a database holds, or -1 if it holds none. */
int pl_cluster_databases(const pl_cluster_t *cluster);
const char *pl_cluster_database_name(const pl_cluster_t *cluster, int database);
int pl_cluster_shard_in(const pl_cluster_t *cluster, int database);

/* The one lane in which this process writes sends to that mailbox. */
pl_lane_t *pl_cluster_write_lane(const pl_cluster_t *cluster, int64_t mailbox_id);

/* The one lane in which this process writes changes to the mailboxes of that mailbox's database. */
pl_lane_t *pl_cluster_change_lane(const pl_cluster_t *cluster, int64_t mailbox_id);

/* The one lane in which this process runs its checks in that mailbox's database. An operation in it
 * must not be abandoned, since the lane may belong to another loop. */
pl_lane_t *pl_cluster_check_lane(const pl_cluster_t *cluster, int64_t mailbox_id);

/* The shortest of the calling loop's read lanes for that shard. On the thread of a running loop. */
pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard);

/* True if at least one database has a working write connection; /readyz reports this. A single
 * database that is down must not make the server unready for users of the other databases. */
bool pl_cluster_is_ready(const pl_cluster_t *cluster);

/* Calls `visit` for each lane, to compute gauges. `kind` is "write", "change", "check" or
 * "read". */
void pl_cluster_visit_lanes(const pl_cluster_t *cluster,
                            void (*visit)(void *arg, const char *database, const char *kind,
                                          const pl_lane_t *lane),
                            void *arg);

#endif
