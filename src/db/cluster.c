#include "db/cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/memory.h"

typedef struct database {
    const char *name;
    pl_lane_t **write_lanes; /* the loops get the lanes of all databases in turn */
    pl_lane_t *change_lane;
    pl_lane_t *check_lane;
    pl_lane_t **read_lanes; /* the lanes of loop i begin at i * read_lanes_per_loop */
} database_t;

struct pl_cluster {
    pl_shard_map_t *map;
    size_t loops_count;
    size_t write_lanes_count;   /* per database */
    size_t read_lanes_per_loop; /* per database */
    database_t *databases;      /* in the map's order */
};

/* PostgreSQL's statement_timeout ends a statement after 5 s (see sql/README.md). If a batch has no
 * answer after 8 s, the network is at fault. */
#define BATCH_TIMEOUT_MS 8000

static pl_lane_t *create_lane(const pl_config_t *config, const pl_config_database_t *database,
                              const char *kind, size_t index, pl_loop_t *loop, void *context)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/%s/%zu", database->name, kind, index);
    const pl_lane_settings_t settings = {
        .name = name,
        .dsn = database->dsn,
        .batch_size = (size_t)config->lanes.batch_size,
        .queue_size = (size_t)config->lanes.queue_size,
        .takes_turns = strcmp(kind, "read") == 0,
        .batch_timeout_ms = BATCH_TIMEOUT_MS,
        .allow_data_loss_on_crash = database->allow_data_loss_on_crash,
        .context = context,
    };
    return pl_lane_create(loop, &settings);
}

static void create_lanes(pl_cluster_t *cluster, const pl_config_t *config, int index,
                         pl_loop_t *const *loops, void *context)
{
    const pl_config_database_t *from = pl_config_find_database(config,
                                                               cluster->map->database_names[index]);
    database_t *to = &cluster->databases[index];
    size_t first = (size_t)index * cluster->write_lanes_count;
    size_t reads = cluster->read_lanes_per_loop * cluster->loops_count;

    to->name = from->name;
    to->write_lanes = pl_calloc(cluster->write_lanes_count, sizeof(pl_lane_t *));
    to->read_lanes = pl_calloc(reads, sizeof(pl_lane_t *));
    for (size_t i = 0; i < cluster->write_lanes_count; i++)
        to->write_lanes[i] = create_lane(config, from, "write", i,
                                         loops[(first + i) % cluster->loops_count], context);
    to->change_lane = create_lane(config, from, "change", 0,
                                  loops[(size_t)index % cluster->loops_count], context);
    to->check_lane = create_lane(config, from, "check", 0,
                                 loops[(size_t)index % cluster->loops_count], context);
    for (size_t i = 0; i < reads; i++)
        to->read_lanes[i] = create_lane(config, from, "read", i,
                                        loops[i / cluster->read_lanes_per_loop], context);
}

int pl_cluster_create(const pl_config_t *config, pl_shard_map_t *map, pl_loop_t *const *loops,
                      size_t loops_count, void *context, pl_cluster_t **cluster_r,
                      pl_error_t *error)
{
    for (int i = 0; i < map->database_count; i++)
        if (pl_config_find_database(config, map->database_names[i]) == NULL) {
            pl_error_set(
                error, PL_ERROR_INVALID,
                "the directory names database \"%s\": add [database %s] to the configuration",
                map->database_names[i], map->database_names[i]);
            return -1;
        }

    pl_cluster_t *cluster = pl_calloc(1, sizeof(*cluster));
    cluster->map = map;
    cluster->loops_count = loops_count;
    cluster->write_lanes_count = (size_t)config->lanes.write_lanes;
    cluster->read_lanes_per_loop = (size_t)config->lanes.read_lanes_per_worker;
    cluster->databases = pl_calloc((size_t)map->database_count, sizeof(database_t));
    for (int i = 0; i < map->database_count; i++)
        create_lanes(cluster, config, i, loops, context);
    *cluster_r = cluster;
    return 0;
}

void pl_cluster_start(pl_cluster_t *cluster, pl_loop_t *loop)
{
    for (int i = 0; i < cluster->map->database_count; i++) {
        database_t *database = &cluster->databases[i];
        for (size_t j = 0; j < cluster->write_lanes_count; j++)
            if (pl_lane_loop(database->write_lanes[j]) == loop)
                pl_lane_start(database->write_lanes[j]);
        if (pl_lane_loop(database->change_lane) == loop)
            pl_lane_start(database->change_lane);
        if (pl_lane_loop(database->check_lane) == loop)
            pl_lane_start(database->check_lane);
        for (size_t j = 0; j < cluster->read_lanes_per_loop * cluster->loops_count; j++)
            if (pl_lane_loop(database->read_lanes[j]) == loop)
                pl_lane_start(database->read_lanes[j]);
    }
}

int pl_cluster_shards(const pl_cluster_t *cluster)
{
    return cluster->map->shards;
}

bool pl_cluster_can_have_id(const pl_cluster_t *cluster, int64_t id)
{
    return id > 0 && pl_id_shard(id) < (unsigned)cluster->map->shards;
}

int pl_cluster_databases(const pl_cluster_t *cluster)
{
    return cluster->map->database_count;
}

const char *pl_cluster_database_name(const pl_cluster_t *cluster, int database)
{
    return cluster->databases[database].name;
}

int pl_cluster_shard_in(const pl_cluster_t *cluster, int database)
{
    for (int shard = 0; shard < cluster->map->shards; shard++)
        if (cluster->map->database_of_shard[shard] == database)
            return shard;
    return -1;
}

static database_t *database_of(const pl_cluster_t *cluster, unsigned shard)
{
    return &cluster->databases[cluster->map->database_of_shard[shard]];
}

bool pl_cluster_share_database(const pl_cluster_t *cluster, int64_t mailbox_id, int64_t other_id)
{
    return database_of(cluster, pl_id_shard(mailbox_id)) ==
           database_of(cluster, pl_id_shard(other_id));
}

pl_lane_t *pl_cluster_write_lane(const pl_cluster_t *cluster, int64_t mailbox_id)
{
    database_t *database = database_of(cluster, pl_id_shard(mailbox_id));
    return database->write_lanes[pl_hash_id(mailbox_id) % cluster->write_lanes_count];
}

pl_lane_t *pl_cluster_change_lane(const pl_cluster_t *cluster, int64_t mailbox_id)
{
    return database_of(cluster, pl_id_shard(mailbox_id))->change_lane;
}

pl_lane_t *pl_cluster_check_lane(const pl_cluster_t *cluster, int64_t mailbox_id)
{
    return database_of(cluster, pl_id_shard(mailbox_id))->check_lane;
}

pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard)
{
    database_t *database = database_of(cluster, (unsigned)shard);
    assert(pl_loop_current() != NULL);
    size_t first = (size_t)pl_loop_index(pl_loop_current()) * cluster->read_lanes_per_loop;
    size_t best = first;

    for (size_t i = first + 1; i < first + cluster->read_lanes_per_loop; i++)
        if (pl_lane_length(database->read_lanes[i]) < pl_lane_length(database->read_lanes[best]))
            best = i;
    return database->read_lanes[best];
}

bool pl_cluster_is_ready(const pl_cluster_t *cluster)
{
    for (int i = 0; i < cluster->map->database_count; i++)
        for (size_t j = 0; j < cluster->write_lanes_count; j++)
            if (pl_lane_is_connected(cluster->databases[i].write_lanes[j]))
                return true;
    return false;
}

void pl_cluster_visit_lanes(const pl_cluster_t *cluster,
                            void (*visit)(void *arg, const char *database, const char *kind,
                                          const pl_lane_t *lane),
                            void *arg)
{
    for (int i = 0; i < cluster->map->database_count; i++) {
        const database_t *database = &cluster->databases[i];
        for (size_t j = 0; j < cluster->write_lanes_count; j++)
            visit(arg, database->name, "write", database->write_lanes[j]);
        visit(arg, database->name, "change", database->change_lane);
        visit(arg, database->name, "check", database->check_lane);
        for (size_t j = 0; j < cluster->read_lanes_per_loop * cluster->loops_count; j++)
            visit(arg, database->name, "read", database->read_lanes[j]);
    }
}
