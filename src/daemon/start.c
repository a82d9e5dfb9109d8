#include "daemon/start.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "directory/connect.h"
#include "directory/durability.h"

#define CONNECT_TIMEOUT_S "3"
#define RETRY_S 1

/* Returns 0 and the map of an initialised system; 1 if trying again may help; -1 if it cannot
 * help. */
static int load_map(const pl_config_t *config, pl_shard_map_t **map_r, pl_error_t *error)
{
    PGconn *pg = pl_connect(config->directory.dsn, "parleyd", CONNECT_TIMEOUT_S);
    int rc = 1;

    *map_r = NULL;
    if (PQstatus(pg) != CONNECTION_OK)
        pl_error_set(error, PL_ERROR_UNAVAILABLE, "the directory cannot be reached: %s",
                     PQerrorMessage(pg));
    else if (pl_shard_map_load(pg, map_r, error) != 0)
        rc = error->code == PL_ERROR_UNAVAILABLE ? 1 : -1;
    else if ((*map_r)->state != PL_SYSTEM_READY)
        pl_error_set(error, PL_ERROR_UNAVAILABLE,
                     "the system is not initialised: run parleyctl init");
    else
        rc = 0;
    if (rc != 0)
        pl_shard_map_free(map_r);
    PQfinish(pg);
    return rc;
}

static int check_database(const pl_config_database_t *database, pl_error_t *error)
{
    PGconn *pg = pl_connect(database->direct_dsn, "parleyd", CONNECT_TIMEOUT_S);
    int rc = 0;

    if (PQstatus(pg) == CONNECTION_OK && pl_durability_check(pg, error) != 0 &&
        error->code == PL_ERROR_INVALID) {
        if (database->allow_data_loss_on_crash) {
            pl_log_warn("database-not-durable", PL_S("database", database->name), PL_E(error));
        } else {
            pl_error_t cause = *error;
            pl_error_set(error, PL_ERROR_INVALID,
                         "database %s can lose acknowledged messages in a crash: %s",
                         database->name, cause.message);
            rc = -1;
        }
    }
    PQfinish(pg);
    return rc;
}

static bool is_asked_to_stop(const sigset_t *stop)
{
    const struct timespec pause = {.tv_sec = RETRY_S};
    return sigtimedwait(stop, NULL, &pause) > 0;
}

int pl_start_wait(const pl_config_t *config, const sigset_t *stop, pl_shard_map_t **map_r,
                  pl_error_t *error)
{
    char logged[sizeof(error->message)] = "";
    int rc;

    while ((rc = load_map(config, map_r, error)) == 1) {
        if (strcmp(logged, error->message) != 0)
            pl_log_warn("start-waits", PL_E(error));
        memcpy(logged, error->message, sizeof(logged));
        if (is_asked_to_stop(stop))
            return 1;
    }
    for (size_t i = 0; rc == 0 && i < config->database_count; i++)
        rc = check_database(&config->databases[i], error);
    if (rc != 0)
        pl_shard_map_free(map_r);
    return rc;
}
