#include "http/listener.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "http/connection.h"
#include "http/server_private.h"

/* Connections that one turn of the loop accepts, so that very many of them do not delay
 * requests. */
#define ACCEPT_PER_TURN 16
/* The pause of a listener at the limit of connections, or when there are no file descriptors. */
#define REST_MS 100
/* A worker passes a connection on if it has at least this many more than the least busy one, and an
 * eighth more. */
#define UNEVEN_BY 2

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): getsockname() has filled it */
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int parse_address(const char *text, struct sockaddr_storage *address_r, socklen_t *len_r,
                         pl_error_t *error)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int code = getaddrinfo(text, NULL, &hints, &found);
    if (code != 0) {
        pl_error_set(error, PL_ERROR_INVALID, "\"%s\" is not a numeric address to listen on: %s",
                     text, gai_strerror(code));
        return -1;
    }
    memcpy(address_r, found->ai_addr, found->ai_addrlen);
    *len_r = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int bind_socket(const struct sockaddr_storage *address, socklen_t len, bool shared)
{
    int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)address, len) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* With SO_REUSEPORT a second server of the same user would share the port without an error. So the
 * port is first bound once without it. */
static int probe(const struct sockaddr_storage *address, socklen_t len)
{
    int fd = bind_socket(address, len, false);
    if (fd < 0 || listen(fd, 1) != 0) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        errno = saved;
        return -1;
    }
    close(fd);
    return 0;
}

int pl_listener_open(const char *address_text, uint16_t port, unsigned count, int *sockets_r,
                     uint16_t *port_r, pl_error_t *error)
{
    struct sockaddr_storage address = {0};
    socklen_t len;
    unsigned opened = 0;
    if (parse_address(address_text, &address, &len, error) != 0)
        return -1;
    set_port(&address, port);
    if (port != 0 && probe(&address, len) != 0)
        goto failed;
    while (opened < count) {
        int fd = bind_socket(&address, len, true);
        if (fd < 0)
            goto failed;
        sockets_r[opened++] = fd;
        if (listen(fd, SOMAXCONN) != 0)
            goto failed;
        if (opened == 1)
            set_port(&address, port_of(fd));
    }
    *port_r = port_of(sockets_r[0]);
    return 0;
failed:
    pl_error_set(error, PL_ERROR_UNAVAILABLE, "cannot listen on %s port %u: %s", address_text, port,
                 errno == EADDRINUSE ? "the port is in use by another program" : strerror(errno));
    while (opened > 0)
        close(sockets_r[--opened]);
    return -1;
}

/* ---- accepting ---- */

/* A connection on its way to another worker. */
struct handover {
    pl_task_t task;
    pl_server_worker_t *worker;
    int fd;
};

static void on_handed_over(pl_task_t *task)
{
    struct handover *handover = H2O_STRUCT_FROM_MEMBER(struct handover, task, task);
    pl_connection_accept(handover->worker, handover->fd);
    atomic_fetch_sub_explicit(&handover->worker->handed_over, 1, memory_order_relaxed);
    free(handover);
}

/* The worker with the fewest connections. One that drains is not in the list. */
static pl_server_worker_t *least_busy(pl_server_worker_t *own)
{
    pl_server_t *server = own->server;
    pl_server_worker_t *best = own;
    unsigned best_count = atomic_load_explicit(&own->connections_count, memory_order_relaxed);
    unsigned own_count = best_count;
    for (unsigned i = 0; i < server->options.workers; i++) {
        pl_server_worker_t *other = atomic_load_explicit(&server->workers[i], memory_order_acquire);
        if (other == NULL || other == own)
            continue;
        unsigned count = atomic_load_explicit(&other->connections_count, memory_order_relaxed);
        if (count < best_count) {
            best = other;
            best_count = count;
        }
    }
    return own_count >= best_count + UNEVEN_BY + best_count / 8 ? best : own;
}

static void take(pl_server_worker_t *worker, int fd)
{
    pl_server_worker_t *target = least_busy(worker);
    atomic_fetch_add_explicit(&worker->server->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&target->connections_count, 1, memory_order_relaxed);
    if (target == worker) {
        pl_connection_accept(worker, fd);
        return;
    }
    struct handover *handover = pl_calloc(1, sizeof(*handover));
    handover->task.run = on_handed_over;
    handover->worker = target;
    handover->fd = fd;
    atomic_fetch_add_explicit(&target->handed_over, 1, memory_order_relaxed);
    pl_loop_post(target->loop, &handover->task);
}

static void rest(pl_server_worker_t *worker)
{
    h2o_socket_read_stop(worker->listener);
    pl_timer_arm(pl_timer_queue(worker->loop, REST_MS), &worker->accept_again);
}

static void on_acceptable(h2o_socket_t *listener, const char *err)
{
    (void)err;
    pl_server_worker_t *worker = listener->data;
    for (int i = 0; i < ACCEPT_PER_TURN; i++) {
        unsigned open = atomic_load_explicit(&worker->server->connections, memory_order_relaxed);
        if (open >= worker->server->options.max_connections) {
            rest(worker);
            return;
        }
        int fd = accept4(h2o_socket_get_fd(listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(worker, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pl_log_error("accept-failed", PL_S("server", worker->server->options.name),
                         PL_S("detail", strerror(errno)));
            rest(worker);
        }
        return;
    }
}

static void on_accept_again(pl_timer_t *timer)
{
    pl_server_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_server_worker_t, accept_again, timer);
    h2o_socket_read_start(worker->listener, on_acceptable);
    on_acceptable(worker->listener, NULL);
}

void pl_listener_start(pl_server_worker_t *worker)
{
    pl_server_t *server = worker->server;
    assert(pl_loop_is_own(worker->loop) && worker->listener == NULL &&
           server->listeners[worker->index] >= 0);
    worker->listener = h2o_evloop_socket_create(
        pl_loop_h2o(worker->loop), server->listeners[worker->index], H2O_SOCKET_FLAG_DONT_READ);
    server->listeners[worker->index] = -1;
    worker->listener->data = worker;
    worker->accept_again.on_fire = on_accept_again;
    h2o_socket_read_start(worker->listener, on_acceptable);
    atomic_store_explicit(&server->workers[worker->index], worker, memory_order_release);
}

void pl_listener_stop(pl_server_worker_t *worker)
{
    assert(pl_loop_is_own(worker->loop));
    atomic_store_explicit(&worker->server->workers[worker->index], NULL, memory_order_release);
    if (worker->listener == NULL)
        return;
    /* Connections that the kernel has accepted and this server has not yet would be reset together
     * with the socket. */
    on_acceptable(worker->listener, NULL);
    pl_timer_disarm(&worker->accept_again);
    h2o_socket_close(worker->listener);
    worker->listener = NULL;
}
