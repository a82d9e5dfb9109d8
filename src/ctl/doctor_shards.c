/*
 * Compares PostgreSQL's catalogue with the map. It reads pg_catalog by schema, because
 * information_schema takes seconds if there are thousands of tables.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "ctl/doctor.h"
#include "ctl/sql_files.h"

/*
 * Returns the differences as (kind, schema, tables). $1 are the schemas that should be in this
 * database according to the map, $2 their ranges in the notation of pg_get_expr. missing   a parent
 * table has no leaf in that schema, or its leaf has another range foreign   the schema's shard is
 * in another database, but leaves of it are attached here leftover  the same, but without attached
 * leaves
 */
static const char compare_leaves[] =
    "WITH expected AS (SELECT * FROM unnest($1::text[], $2::text[]) AS e (schema_name, bound)),"
    " parent AS (SELECT c.oid, c.relname FROM pg_class c WHERE c.relkind = 'p'"
    "   AND c.relnamespace = to_regnamespace('parley')),"
    " leaf AS (SELECT n.nspname, p.relname, pg_get_expr(l.relpartbound, l.oid) AS bound"
    "   FROM parent p JOIN pg_inherits i ON i.inhparent = p.oid"
    "   JOIN pg_class l ON l.oid = i.inhrelid AND l.relname = p.relname"
    "   JOIN pg_namespace n ON n.oid = l.relnamespace)"
    " SELECT 'missing', e.schema_name, string_agg(p.relname, ', ' ORDER BY p.relname)"
    "   FROM expected e CROSS JOIN parent p LEFT JOIN leaf l ON l.nspname = e.schema_name"
    "     AND l.relname = p.relname AND l.bound = e.bound"
    "   WHERE l.nspname IS NULL GROUP BY 2"
    " UNION ALL"
    " SELECT 'foreign', l.nspname, string_agg(l.relname, ', ' ORDER BY l.relname)"
    "   FROM leaf l LEFT JOIN expected e ON e.schema_name = l.nspname"
    "   WHERE e.schema_name IS NULL GROUP BY 2"
    " UNION ALL"
    " SELECT 'leftover', n.nspname, ''"
    "   FROM pg_namespace n WHERE n.nspname ~ '^shard_[0-9]{4}$'"
    "   AND n.nspname NOT IN (SELECT schema_name FROM expected)"
    "   AND n.nspname NOT IN (SELECT nspname FROM leaf)"
    " ORDER BY 1, 2";

static const char invalid_indexes[] =
    "SELECT string_agg(i.indexrelid::regclass::text, ', '), count(*) FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE NOT (i.indisvalid AND i.indisready)"
    " AND (n.nspname IN ('parley', 'directory') OR n.nspname ~ '^shard_[0-9]{4}$')";

/* Appends to an array literal. The values have no characters that need escaping inside double
 * quotes. */
static void append_element(pl_buffer_t *array, const char *value)
{
    pl_buffer_append_text(array, array->len == 0 ? "{\"" : "\",\"");
    pl_buffer_append_text(array, value);
}

static char *finish_array(pl_buffer_t *array)
{
    pl_buffer_append_text(array, array->len == 0 ? "{}" : "\"}");
    return pl_buffer_terminate(array);
}

static PGresult *compare(const pl_doctor_t *doctor, PGconn *conn, int database)
{
    pl_buffer_t schemas = PL_BUFFER_EMPTY, bounds = PL_BUFFER_EMPTY, bound = PL_BUFFER_EMPTY;
    const pl_shard_map_t *map = doctor->map;

    for (int shard = 0; shard < map->shards; shard++) {
        char schema[PL_SHARD_SCHEMA_SIZE];
        if (map->database_of_shard[shard] != database)
            continue;
        pl_shard_schema_format(schema, shard);
        append_element(&schemas, schema);
        pl_buffer_clear(&bound);
        /* pg_get_expr puts quotes around numbers, but not around MAXVALUE. */
        pl_sql_expand(&bound,
                      shard == map->shards - 1 ? "FOR VALUES FROM ('{lower}') TO ({upper})"
                                               : "FOR VALUES FROM ('{lower}') TO ('{upper}')",
                      shard, map->shards);
        append_element(&bounds, pl_buffer_terminate(&bound));
    }
    const char *const values[] = {finish_array(&schemas), finish_array(&bounds)};
    PGresult *result = PQexecParams(conn, compare_leaves, 2, NULL, values, NULL, NULL, 0);
    pl_buffer_dispose(&schemas);
    pl_buffer_dispose(&bounds);
    pl_buffer_dispose(&bound);
    return result;
}

static void check_leaves(pl_doctor_t *doctor, const pl_session_t *session, int database)
{
    PGresult *result = compare(doctor, session->conn, database);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        pl_check_fail(doctor, session->label, "shards", PL_EXIT_FAILED,
                      "The database refused the check's query; see the message.", "%s",
                      PQresultErrorMessage(result));
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const char *schema = PQgetvalue(result, row, 1), *tables = PQgetvalue(result, row, 2);
        switch (PQgetvalue(result, row, 0)[0]) {
        case 'm':
            pl_check_fail(doctor, session->label, "shards", PL_EXIT_FAILED,
                          doctor->map->state == PL_SYSTEM_READY
                              ? "Restore the schema from a backup and attach its tables."
                              : "Run parleyctl init again.",
                          "%s is not attached with its range: %s", schema, tables);
            break;
        case 'f':
            pl_check_fail(doctor, session->label, "shards", PL_EXIT_FAILED,
                          "Detach them: a server with an old map could write there.",
                          "%s is attached, but in the map it is in another database: %s", schema,
                          tables);
            break;
        default:
            pl_check_warn(doctor, session->label, "shards",
                          "Drop the schema once you are sure that nothing needs it.",
                          "%s is there, detached; in the map it is in another database", schema);
            break;
        }
    }
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 0)
        pl_check_ok(doctor, session->label, "shards", "attached as in the map");
    PQclear(result);
}

static void check_indexes(pl_doctor_t *doctor, const pl_session_t *session)
{
    PGresult *result = pl_check_query(doctor, session->label, "indexes", session->conn,
                                      invalid_indexes);

    if (result == NULL)
        return;
    if (atoi(PQgetvalue(result, 0, 1)) == 0) {
        pl_check_ok(doctor, session->label, "indexes", "all valid");
    } else {
        pl_check_fail(doctor, session->label, "indexes", PL_EXIT_FAILED,
                      "Run REINDEX INDEX for each (CONCURRENTLY on a system in use).",
                      "not valid: %s", PQgetvalue(result, 0, 0));
    }
    PQclear(result);
}

void pl_doctor_check_shards(pl_doctor_t *doctor, const pl_session_t *session, int database)
{
    check_leaves(doctor, session, database);
    check_indexes(doctor, session);
}
