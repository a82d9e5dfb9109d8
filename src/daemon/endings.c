#include "daemon/endings.h"

#include "base/log.h"
#include "relay/link.h"

/* False: the database is away. */
static bool read_page(pl_link_t *link, pl_endings_read_t *read)
{
    pl_op_t *op = &read->op;
    pl_params_t params = {0};

    op->kind->encode(&params, &op, 1);
    PGresult *result = pl_link_run(link, op->kind->sql, &params);
    pl_params_dispose(&params);
    if (result != NULL && !op->kind->decode(result, &op, 1))
        PQclear(result);
    return result != NULL;
}

static bool read_all(pl_link_t *link, pl_endings_reader_t *reader, int database)
{
    pl_endings_read_t read;

    if (!pl_link_is_up(link))
        return false;
    do {
        pl_endings_reader_prepare(reader, database, &read);
        if (!read_page(link, &read))
            return false;
    } while (pl_endings_reader_take(reader, database, &read));
    return true;
}

void pl_endings_read_before_start(const pl_config_t *config, const pl_cluster_t *cluster,
                                  pl_endings_reader_t *reader)
{
    for (int i = 0; i < pl_cluster_databases(cluster); i++) {
        const pl_config_database_t *database = pl_config_find_database(
            config, pl_cluster_database_name(cluster, i));
        pl_link_t link = {
            .name = database->name,
            .dsn = database->direct_dsn,
            .allow_data_loss_on_crash = database->allow_data_loss_on_crash,
        };
        if (!read_all(&link, reader, i))
            pl_log_warn("endings-not-read", PL_S("database", database->name));
        pl_link_close(&link);
    }
}
