#include "db/conn.h"

#include <assert.h>
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

/* PQconnectPoll ignores libpq's connect_timeout. A pooler answers within its login timeout even if
 * its server is down, so after five seconds there is no pooler either. */
#define CONNECT_TIMEOUT_MS 5000
/* The pause before a reconnect doubles from 100 ms to 2 s. Half of each pause is random, so that
 * not all lanes reconnect at once to a pooler that comes back. A follow-up waits for the connection
 * at most 2 s longer than necessary. */
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
    bool broken;          /* found inside a pl_conn_ call; the loss is reported from the loop */
    pl_deferred_t report_broken;
    pl_timer_t timer;
    uint64_t deadline_ms; /* CONNECTING: when to give up. WAITING: when to connect */
    uint64_t retry_ms;    /* the last pause; 0 after a success */
};

static void on_socket_ready(h2o_socket_t *socket, const char *err);
static void on_write_ready(h2o_socket_t *socket, const char *err);
static void connect_start(pl_conn_t *conn);

/* Each state has one bit; the arrows of conn.h. */
static const unsigned next_states[] = {
    [WAITING] = 1u << CONNECTING,
    [CONNECTING] = 1u << IDLE | 1u << WAITING,
    [IDLE] = 1u << BUSY | 1u << WAITING,
    [BUSY] = 1u << IDLE | 1u << WAITING,
};

static void set_state(pl_conn_t *conn, state_t state)
{
    assert(pl_loop_is_own(conn->loop));
    assert((next_states[conn->state] >> state & 1u) != 0);
    conn->state = state;
}

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
    set_state(conn, WAITING);
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
    pl_deferred_cancel(&conn->report_broken);
    enter_waiting(conn);
    conn->callbacks->on_lost(conn->owner);
}

static void on_broken(pl_deferred_t *deferred)
{
    pl_conn_t *conn = H2O_STRUCT_FROM_MEMBER(pl_conn_t, report_broken, deferred);
    if (conn->broken)
        lose(conn, PQerrorMessage(conn->pg));
}

static int mark_broken(pl_conn_t *conn)
{
    conn->broken = true;
    pl_loop_defer(conn->loop, &conn->report_broken);
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
    set_state(conn, IDLE);
    conn->retry_ms = 0;
    pl_log_info("connection-ready", PL_S("connection", conn->name));
    conn->callbacks->on_idle(conn->owner);
}

/* After every poll libpq may use another socket, even one with the same number, so the socket is
 * opened again each time. */
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

    set_state(conn, CONNECTING);
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

/* With such an error the server or the pooler ends the session; it does not say that the batch is
 * wrong. */
static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/* Passes on all results that have arrived. Returns -1 if the connection must be given up. */
static int take_results(pl_conn_t *conn)
{
    while (conn->state == BUSY && !PQisBusy(conn->pg)) {
        PGresult *result = PQgetResult(conn->pg);
        if (result == NULL) {
            /* The results of one statement end here, or the connection is lost. */
            if (PQstatus(conn->pg) == CONNECTION_BAD)
                return -1;
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            set_state(conn, IDLE);
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
    conn->report_broken.run = on_broken;
    conn->timer.on_fire = on_timer;
    /* The timer starts to connect, so that no callback comes before this function returns. */
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

    assert(pl_loop_is_own(conn->loop) && conn->state == IDLE);
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
    assert(pl_loop_is_own(conn->loop) && conn->state == IDLE);
    if (conn->broken || PQpipelineSync(conn->pg) != 1 || flush(conn) != 0)
        return mark_broken(conn);
    set_state(conn, BUSY);
    return 0;
}

void pl_conn_drop(pl_conn_t *conn, const char *reason)
{
    if (conn->state != WAITING)
        lose(conn, reason);
}
