#include "db/conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "directory/connect.h"
#include "loop/timer.h"

/* libpq's own connect_timeout is ignored by PQconnectPoll. A pooler whose server is down answers
 * within its login timeout, so five seconds mean that nobody is there. */
#define CONNECT_TIMEOUT_MS 5000
/* Reconnects wait 100 ms, then twice as long up to 2 s, each by a random half: a pooler that comes
 * back is not met by all lanes at once, and a copy that is owed to it waits at most 2 s for the
 * connection. */
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 2000
#define RETRY_TICK_MS 40

typedef enum { WAITING, CONNECTING, IDLE, BUSY } state_t;

struct pl_conn {
    pl_loop_t *loop;
    char *name;
    char *dsn;
    const pl_conn_callbacks_t *callbacks;
    void *owner;
    state_t state;
    PGconn *pg;
    h2o_socket_t *socket; /* of a dup of libpq's descriptor: libpq may close its own at any time */
    bool broken;          /* seen inside a call; told from the loop */
    pl_deferred_t told;
    pl_timer_t timer;
    uint64_t deadline_ms; /* of the connecting, or of the waiting */
    uint64_t retry_ms;
};

static void on_socket_ready(h2o_socket_t *socket, const char *err);
static void on_write_ready(h2o_socket_t *socket, const char *err);
static void connect_start(pl_conn_t *conn);

static void close_socket(pl_conn_t *conn)
{
    if (conn->socket != NULL) {
        h2o_socket_read_stop(conn->socket);
        h2o_socket_close(conn->socket);
        conn->socket = NULL;
    }
}

static int open_socket(pl_conn_t *conn)
{
    close_socket(conn);
    int fd = fcntl(PQsocket(conn->pg), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    conn->socket = h2o_evloop_socket_create(pl_loop_h2o(conn->loop), fd, H2O_SOCKET_FLAG_DONT_READ);
    conn->socket->data = conn;
    return 0;
}

static void enter_waiting(pl_conn_t *conn)
{
    conn->state = WAITING;
    conn->retry_ms = conn->retry_ms == 0 ? RETRY_MIN_MS : conn->retry_ms * 2;
    if (conn->retry_ms > RETRY_MAX_MS)
        conn->retry_ms = RETRY_MAX_MS;
    uint64_t half = conn->retry_ms / 2;
    conn->deadline_ms = (uint64_t)pl_clock_monotonic_ms() + half + pl_random_below(half + 1);
    pl_timer_arm(pl_timer_queue(conn->loop, RETRY_TICK_MS), &conn->timer);
}

static void lose(pl_conn_t *conn, const char *reason)
{
    pl_log_warn("connection-lost", PL_S("connection", conn->name), PL_S("reason", reason));
    close_socket(conn);
    PQfinish(conn->pg);
    conn->pg = NULL;
    conn->broken = false;
    pl_deferred_cancel(&conn->told);
    enter_waiting(conn);
    conn->callbacks->on_lost(conn->owner);
}

static void on_broken(pl_deferred_t *deferred)
{
    pl_conn_t *conn = H2O_STRUCT_FROM_MEMBER(pl_conn_t, told, deferred);
    if (conn->broken)
        lose(conn, PQerrorMessage(conn->pg));
}

static int mark_broken(pl_conn_t *conn)
{
    conn->broken = true;
    pl_loop_defer(conn->loop, &conn->told);
    return -1;
}

static void become_ready(pl_conn_t *conn)
{
    pl_timer_disarm(&conn->timer);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1 ||
        open_socket(conn) != 0) {
        lose(conn, "cannot enter pipeline mode");
        return;
    }
    h2o_socket_read_start(conn->socket, on_socket_ready);
    conn->state = IDLE;
    conn->retry_ms = 0;
    pl_log_info("connection-ready", PL_S("connection", conn->name));
    conn->callbacks->on_idle(conn->owner);
}

/* The socket may differ after every poll, even with the same number, so it is taken anew each time.
 */
static void connect_step(pl_conn_t *conn, PostgresPollingStatusType wanted)
{
    if (wanted == PGRES_POLLING_OK) {
        become_ready(conn);
        return;
    }
    if (wanted == PGRES_POLLING_FAILED || open_socket(conn) != 0) {
        lose(conn, PQerrorMessage(conn->pg));
        return;
    }
    if (wanted == PGRES_POLLING_READING)
        h2o_socket_read_start(conn->socket, on_socket_ready);
    else
        h2o_socket_notify_write(conn->socket, on_write_ready);
}

static void on_timer(pl_timer_t *timer)
{
    pl_conn_t *conn = H2O_STRUCT_FROM_MEMBER(pl_conn_t, timer, timer);
    if ((uint64_t)pl_clock_monotonic_ms() < conn->deadline_ms) {
        pl_timer_arm(pl_timer_queue(conn->loop, RETRY_TICK_MS), &conn->timer);
        return;
    }
    if (conn->state == WAITING)
        connect_start(conn);
    else
        lose(conn, "connecting timed out");
}

static void connect_start(pl_conn_t *conn)
{
    const char *keywords[] = {"dbname", "fallback_application_name", "client_encoding",
                              "gssencmode", NULL};
    const char *values[] = {conn->dsn, "parleyd", "UTF8", "disable", NULL};

    conn->state = CONNECTING;
    conn->deadline_ms = (uint64_t)pl_clock_monotonic_ms() + CONNECT_TIMEOUT_MS;
    pl_timer_arm(pl_timer_queue(conn->loop, RETRY_TICK_MS), &conn->timer);
    conn->pg = PQconnectStartParams(keywords, values, 1);
    if (conn->pg != NULL)
        pl_connect_ignore_notices(conn->pg);
    if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD)
        lose(conn, conn->pg != NULL ? PQerrorMessage(conn->pg) : "out of memory");
    else
        connect_step(conn, PGRES_POLLING_WRITING);
}

static int flush(pl_conn_t *conn)
{
    int pending = PQflush(conn->pg);
    if (pending < 0)
        return -1;
    if (pending > 0 && !h2o_socket_is_writing(conn->socket))
        h2o_socket_notify_write(conn->socket, on_write_ready);
    return 0;
}

/* The server or the pooler ends the session with these, whatever the batch was about. */
static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/* Takes what has arrived. Returns -1 when the connection is no longer to be trusted. */
static int take_results(pl_conn_t *conn)
{
    while (conn->state == BUSY && !PQisBusy(conn->pg)) {
        PGresult *result = PQgetResult(conn->pg);
        if (result ==
            NULL) { /* the end of one statement's results, or nothing to come: a lost connection */
            if (PQstatus(conn->pg) == CONNECTION_BAD)
                return -1;
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            conn->state = IDLE;
            conn->callbacks->on_batch_end(conn->owner);
        } else if (is_fatal(result)) {
            PQclear(result);
            return -1;
        } else {
            conn->callbacks->on_result(conn->owner, result);
        }
    }
    return PQstatus(conn->pg) == CONNECTION_BAD ? -1 : 0;
}

static void on_socket_ready(h2o_socket_t *socket, const char *err)
{
    pl_conn_t *conn = socket->data;
    (void)err;

    if (conn->state == CONNECTING) {
        connect_step(conn, PQconnectPoll(conn->pg));
        return;
    }
    bool was_busy = conn->state == BUSY;
    if (!PQconsumeInput(conn->pg) || flush(conn) != 0 || take_results(conn) != 0) {
        lose(conn, PQerrorMessage(conn->pg));
        return;
    }
    if (was_busy && conn->state == IDLE)
        conn->callbacks->on_idle(conn->owner);
}

static void on_write_ready(h2o_socket_t *socket, const char *err)
{
    pl_conn_t *conn = socket->data;
    (void)err;

    if (conn->state == CONNECTING)
        connect_step(conn, PQconnectPoll(conn->pg));
    else if (flush(conn) != 0)
        lose(conn, PQerrorMessage(conn->pg));
}

pl_conn_t *pl_conn_create(pl_loop_t *loop, const char *name, const char *dsn,
                          const pl_conn_callbacks_t *callbacks, void *owner)
{
    pl_conn_t *conn = pl_calloc(1, sizeof(*conn));
    conn->loop = loop;
    conn->name = pl_strdup(name);
    conn->dsn = pl_strdup(dsn);
    conn->callbacks = callbacks;
    conn->owner = owner;
    conn->told.run = on_broken;
    conn->timer.on_fire = on_timer;
    /* From the timer, so that no callback comes before this returns. */
    conn->deadline_ms = 0;
    pl_timer_arm(pl_timer_queue(loop, RETRY_TICK_MS), &conn->timer);
    return conn;
}

bool pl_conn_is_idle(const pl_conn_t *conn)
{
    return conn->state == IDLE && !conn->broken;
}

int pl_conn_query(pl_conn_t *conn, const char *sql, const pl_params_t *params)
{
    const char *values[PL_PARAMS_MAX];
    int formats[PL_PARAMS_MAX];

    for (int i = 0; i < params->count; i++) {
        values[i] = params->nulls[i] ? NULL : params->data.data + params->offsets[i];
        formats[i] = 1;
    }
    if (conn->broken || PQsendQueryParams(conn->pg, sql, params->count, params->types, values,
                                          params->lengths, formats, 1) != 1)
        return mark_broken(conn);
    return 0;
}

int pl_conn_sync(pl_conn_t *conn)
{
    if (conn->broken || PQpipelineSync(conn->pg) != 1 || flush(conn) != 0)
        return mark_broken(conn);
    conn->state = BUSY;
    return 0;
}

void pl_conn_drop(pl_conn_t *conn, const char *reason)
{
    if (conn->state != WAITING)
        lose(conn, reason);
}
