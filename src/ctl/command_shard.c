/*
 * shard list.
 */
#include <inttypes.h>
#include <stdint.h>

#include "base/id.h"
#include "base/json_write.h"
#include "ctl/commands.h"
#include "ctl/report.h"
#include "ctl/system.h"

static int64_t lowest_id(int shard)
{
    return (int64_t)shard << PL_ID_SHARD_SHIFT;
}

static int64_t highest_id(const pl_shard_map_t *map, int shard)
{
    return shard == map->shards - 1 ? INT64_MAX : lowest_id(shard + 1) - 1;
}

static void write_json(pl_report_t *report, const pl_shard_map_t *map)
{
    pl_buffer_t *out = &report->out;

    pl_json_key(out, "shards");
    pl_json_array_begin(out);
    for (int shard = 0; shard < map->shards; shard++) {
        char schema[PL_SHARD_SCHEMA_SIZE];
        pl_shard_schema_format(schema, shard);
        pl_json_object_begin(out);
        pl_json_key(out, "shard");
        pl_json_int64(out, shard);
        pl_json_key(out, "schema");
        pl_json_text(out, schema);
        pl_json_key(out, "database");
        pl_json_text(out, map->database_names[map->database_of_shard[shard]]);
        pl_json_key(out, "lowestUserId");
        pl_json_id(out, lowest_id(shard));
        pl_json_key(out, "highestUserId");
        pl_json_id(out, highest_id(map, shard));
        pl_json_object_end(out);
    }
    pl_json_array_end(out);
}

static void print_text(pl_report_t *report, const pl_shard_map_t *map)
{
    pl_report_text(report, "%-11s %-20s %20s %20s", "schema", "database", "lowest user id",
                   "highest user id");
    for (int shard = 0; shard < map->shards; shard++) {
        char schema[PL_SHARD_SCHEMA_SIZE];
        pl_shard_schema_format(schema, shard);
        pl_report_text(report, "%-11s %-20s %20" PRId64 " %20" PRId64, schema,
                       map->database_names[map->database_of_shard[shard]], lowest_id(shard),
                       highest_id(map, shard));
    }
}

int pl_command_shard_list(const pl_ctl_t *ctl)
{
    pl_system_t system;

    if (pl_system_open(&system, ctl, false) == 0 && pl_system_require_ready(&system) == 0) {
        if (ctl->is_json)
            write_json(&system.report, system.map);
        else
            print_text(&system.report, system.map);
    }
    return (int)pl_system_close(&system);
}
