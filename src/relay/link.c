#include "relay/link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "directory/connect.h"
#include "directory/durability.h"

/* The relay works on one database after the other: a host that drops packets must not delay the
 * rest. */
#define CONNECT_TIMEOUT_S "3"
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 2000
/* The server's role has a statement_timeout of 5 s; if no answer comes for longer, the server or
 * the network hangs. */
#define ANSWER_TIMEOUT_MS 6000

static void give_up(pl_link_t *link, const char *event, const char *detail)
{
    pl_log_warn(event, PL_S("database", link->name), PL_S("detail", detail));
    pl_link_close(link);
    link->retry_pause_ms = link->retry_pause_ms == 0 ? RETRY_MIN_MS : link->retry_pause_ms * 2;
    if (link->retry_pause_ms > RETRY_MAX_MS)
        link->retry_pause_ms = RETRY_MAX_MS;
    link->retry_ms = pl_clock_monotonic_ms() + link->retry_pause_ms;
}

/* Closes the link if commits are not durable: a copy that a crash can lose must not settle its
 * outbox entry. */
static bool is_durable(pl_link_t *link)
{
    pl_error_t error;
    PGresult *answer = pl_link_run(link, pl_durability_query, NULL);
    bool is_durable = answer != NULL && pl_durability_read(answer, &error) == 0;

    if (answer != NULL && !is_durable)
        give_up(link, "relay-database-not-durable", error.message);
    else if (!is_durable)
        pl_link_close(link);
    PQclear(answer);
    return is_durable;
}

bool pl_link_is_up(pl_link_t *link)
{
    if (link->pg != NULL)
        return true;
    if (pl_clock_monotonic_ms() < link->retry_ms)
        return false;
    link->pg = pl_connect(link->dsn, "parleyd-relay", CONNECT_TIMEOUT_S);
    if (PQstatus(link->pg) != CONNECTION_OK) {
        give_up(link, "relay-connect-failed", PQerrorMessage(link->pg));
        return false;
    }
    if (!link->allow_data_loss_on_crash && !is_durable(link))
        return false;
    link->retry_pause_ms = 0;
    return true;
}

/* Waits until libpq has a result. False: the connection failed, or ANSWER_TIMEOUT_MS is over. */
static bool await_answer(pl_link_t *link)
{
    int64_t deadline_ms = pl_clock_monotonic_ms() + ANSWER_TIMEOUT_MS;

    for (;;) {
        struct pollfd ready = {.fd = PQsocket(link->pg), .events = POLLIN};
        int64_t left_ms = deadline_ms - pl_clock_monotonic_ms();
        if (!PQisBusy(link->pg))
            return true;
        if (left_ms <= 0 || (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR) ||
            !PQconsumeInput(link->pg))
            return false;
    }
}

/* Returns the statement's last result. NULL: no answer came, and the link is closed. */
static PGresult *take_result(pl_link_t *link)
{
    PGresult *last = NULL;

    while (await_answer(link)) {
        PGresult *result = PQgetResult(link->pg);
        if (result == NULL)
            return last;
        PQclear(last);
        last = result;
    }
    PQclear(last);
    give_up(link, "relay-answer-missing", PQerrorMessage(link->pg));
    return NULL;
}

PGresult *pl_link_run(pl_link_t *link, const char *sql, const pl_params_t *params)
{
    static const pl_params_t none;
    const char *values[PL_PARAMS_MAX];
    int formats[PL_PARAMS_MAX];

    assert(link->pg != NULL);
    if (params == NULL)
        params = &none;
    for (int i = 0; i < params->count; i++) {
        values[i] = params->nulls[i] ? NULL : params->data.data + params->offsets[i];
        formats[i] = 1;
    }
    if (!PQsendQueryParams(link->pg, sql, params->count, params->types, values, params->lengths,
                           formats, 1)) {
        give_up(link, "relay-send-failed", PQerrorMessage(link->pg));
        return NULL;
    }
    PGresult *result = take_result(link);
    ExecStatusType status = PQresultStatus(result);
    if (result == NULL || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    if (PQstatus(link->pg) != CONNECTION_OK)
        give_up(link, "relay-connection-lost", PQerrorMessage(link->pg));
    else
        pl_log_warn("relay-statement-refused", PL_S("database", link->name),
                    PL_S("sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE)));
    PQclear(result);
    return NULL;
}

void pl_link_close(pl_link_t *link)
{
    PQfinish(link->pg);
    link->pg = NULL;
}
