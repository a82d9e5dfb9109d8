#include "http/connection.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/measure.h"
#include "http/server_private.h"
#include "loop/timer.h"

/* A connection may cancel this many fresh requests at once, and this many a second over time. A
 * proxy carries a hundred users on one connection, and they may all leave together. An attacker
 * cancels tens of thousands. */
#define RESET_BURST 200
#define RESET_RATE 100

/* When the peer has acknowledged no sent bytes, or has kept its window closed, for so long, the
 * peer counts as dead. */
#define TCP_USER_TIMEOUT_MS 30000

/* A connection is closed if for so long none of its requests becomes complete and none is being
 * answered, however many bytes arrive. libh2o closes a silent one before that
 * (HTTP2_IDLE_TIMEOUT_MS), so this is for a client that sends a request too slowly. */
#define INCOMPLETE_TIMEOUT_MS 65000

struct pl_connection {
    h2o_linklist_t link; /* worker->connections */
    pl_server_worker_t *worker;
    h2o_socket_t *socket; /* NULL once closed */
    unsigned refs;
    unsigned active;    /* requests that libh2o has */
    unsigned in_flight; /* request handles, so also work whose client cancelled */
    size_t unsent;      /* bytes of answers */
    bool is_http2;
    bool is_closing; /* shut down; libh2o will notice */
    unsigned resets_left;
    int64_t refilled_us;
    pl_timer_t incomplete; /* armed while libh2o has no complete request */
};

static void unref(pl_connection_t *connection)
{
    if (--connection->refs == 0)
        free(connection);
}

static void on_close(void *data)
{
    pl_connection_t *connection = data;
    pl_server_worker_t *worker = connection->worker;
    connection->socket = NULL;
    pl_timer_disarm(&connection->incomplete);
    h2o_linklist_unlink(&connection->link);
    atomic_fetch_sub_explicit(&worker->connections_count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&worker->server->connections, 1, memory_order_relaxed);
    pl_gauge_add(worker->server->connections_gauge, -1);
    unref(connection);
}

static void shut_down(pl_connection_t *connection)
{
    if (connection->socket != NULL)
        shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

static void close_over_limit(pl_connection_t *connection, const char *reason)
{
    if (connection->is_closing)
        return;
    connection->is_closing = true;
    pl_log_warn("connection-over-limit", PL_S("server", connection->worker->server->options.name),
                PL_S("reason", reason));
    pl_measure_connection_closed(reason);
    shut_down(connection);
}

static void on_incomplete(pl_timer_t *timer)
{
    close_over_limit(H2O_STRUCT_FROM_MEMBER(pl_connection_t, incomplete, timer), "slow-request");
}

static void await_request(pl_connection_t *connection)
{
    if (connection->socket != NULL)
        pl_timer_arm(pl_timer_queue(connection->worker->loop, INCOMPLETE_TIMEOUT_MS),
                     &connection->incomplete);
}

void pl_connection_accept(pl_server_worker_t *worker, int fd)
{
    assert(pl_loop_is_own(worker->loop));
    int on = 1;
    unsigned timeout_ms = TCP_USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));

    pl_connection_t *connection = pl_calloc(1, sizeof(*connection));
    connection->worker = worker;
    connection->refs = 1;
    connection->resets_left = RESET_BURST;
    connection->refilled_us = pl_clock_monotonic_us();
    connection->socket = h2o_evloop_socket_create(pl_loop_h2o(worker->loop), fd, 0);
    connection->socket->on_close.cb = on_close;
    connection->socket->on_close.data = connection;
    connection->incomplete.on_fire = on_incomplete;
    await_request(connection);
    h2o_linklist_insert(&worker->connections, &connection->link);
    pl_gauge_add(worker->server->connections_gauge, 1);
    pl_counter_add(worker->server->connections_counter, 1);
    h2o_accept(&worker->accept, connection->socket);
}

pl_connection_t *pl_connection_of(const h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

bool pl_connection_enter(pl_connection_t *connection, const h2o_req_t *req)
{
    assert(pl_loop_is_own(connection->worker->loop) && connection->socket != NULL);
    pl_timer_disarm(&connection->incomplete);
    connection->refs++;
    connection->active++;
    connection->in_flight++;
    connection->is_http2 = req->version >= 0x200;
    return !connection->is_closing &&
           connection->in_flight <=
               connection->worker->server->options.max_requests_in_flight_per_connection;
}

static void count_reset(pl_connection_t *connection)
{
    int64_t now_us = pl_clock_monotonic_us();
    int64_t refill = (now_us - connection->refilled_us) * RESET_RATE / 1000000;
    if (refill > 0) {
        int64_t left = (int64_t)connection->resets_left + refill;
        connection->resets_left = left < RESET_BURST ? (unsigned)left : RESET_BURST;
        connection->refilled_us = now_us;
    }
    if (connection->resets_left == 0)
        close_over_limit(connection, "resets");
    else
        connection->resets_left--;
}

void pl_connection_leave(pl_connection_t *connection, bool is_reset)
{
    assert(connection->active > 0);
    connection->active--;
    if (connection->active == 0)
        await_request(connection);
    if (is_reset && connection->is_http2)
        count_reset(connection);
}

void pl_connection_release(pl_connection_t *connection)
{
    assert(connection->in_flight > 0);
    connection->in_flight--;
    unref(connection);
}

size_t pl_connection_unsent(const pl_connection_t *connection)
{
    return connection->unsent;
}

void pl_connection_add_unsent(pl_connection_t *connection, size_t len)
{
    connection->unsent += len;
}

void pl_connection_release_unsent(pl_connection_t *connection, size_t len)
{
    assert(connection->unsent >= len);
    connection->unsent -= len;
}

/* Bytes in the input are a request on its way. It is answered, and the connection is closed after
 * it. An HTTP/2 connection gets a GOAWAY and closes when its streams are done. */
void pl_connection_close_idle(pl_server_worker_t *worker)
{
    for (h2o_linklist_t *node = worker->connections.next; node != &worker->connections;
         node = node->next) {
        pl_connection_t *connection = H2O_STRUCT_FROM_MEMBER(pl_connection_t, link, node);
        if (!connection->is_http2 && connection->active == 0 &&
            connection->socket->input->size == 0)
            shut_down(connection);
    }
}

void pl_connection_close_all(pl_server_worker_t *worker)
{
    for (h2o_linklist_t *node = worker->connections.next; node != &worker->connections;
         node = node->next)
        shut_down(H2O_STRUCT_FROM_MEMBER(pl_connection_t, link, node));
}
