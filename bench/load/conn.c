#include "load/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

/* Holds a page of messages, so that one call of recv() takes it. */
#define RECEIVE_SIZE 65536

#define EVENTS_AT_ONCE 256
#define WAIT_MAX_US 100000

void pl_load_die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("parley-load: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    /* Without destructors: other threads may still run. */
    _exit(EXIT_FAILURE);
}

/* Edge-triggered: otherwise epoll_wait() checks each reported connection a second time. */
static void watch(pl_load_conn_t *conn, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET |
                                          (conn->wants_write ? EPOLLOUT : 0U),
                                .data.ptr = conn};
    if (epoll_ctl(conn->group->epoll, operation, conn->fd, &event) != 0)
        pl_load_die("epoll_ctl: %s", strerror(errno));
}

static void open_conn(pl_load_conn_t *conn)
{
    const pl_load_options_t *options = conn->group->options;
    int on = 1;

    conn->fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        pl_load_die("socket: %s", strerror(errno));
    if (connect(conn->fd, (const struct sockaddr *)&options->address, options->address_len) != 0)
        pl_load_die("cannot connect to %s: %s", options->authority, strerror(errno));
    if (fcntl(conn->fd, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        pl_load_die("cannot prepare a socket: %s", strerror(errno));
    conn->wants_write = false;
    conn->ends = false;
    watch(conn, EPOLL_CTL_ADD);
    conn->protocol->open(conn);
}

static void close_conn(pl_load_conn_t *conn)
{
    if (conn->fd < 0)
        return;
    conn->protocol->close(conn);
    close(conn->fd);
    conn->fd = -1;
    pl_buffer_clear(&conn->out);
    conn->out_sent = 0;
}

/* The owner may submit again in its callback, so collect all lost slots first. */
static void lose(pl_load_conn_t *conn)
{
    pl_load_slot_t **lost = pl_reallocarray(NULL, conn->slot_count, sizeof(*lost));
    uint32_t count = 0;
    bool answered = conn->ends;

    close_conn(conn);
    for (uint32_t i = 0; i < conn->slot_count; i++)
        if (conn->slots[i].in_flight)
            lost[count++] = &conn->slots[i];
    if (conn->group->reopens)
        open_conn(conn);
    for (uint32_t i = 0; i < count; i++)
        pl_load_conn_done(lost[i], !answered);
    free(lost);
}

pl_load_conn_t *pl_load_conn_create(pl_load_conn_group_t *group, uint32_t slots)
{
    pl_load_conn_t *conn = pl_calloc(1, sizeof(*conn) + slots * sizeof(conn->slots[0]));

    conn->group = group;
    conn->protocol = group->options->h2 ? &pl_load_h2 : &pl_load_h1;
    conn->slot_count = slots;
    for (uint32_t i = 0; i < slots; i++)
        conn->slots[i].conn = conn;
    open_conn(conn);
    return conn;
}

void pl_load_conn_destroy(pl_load_conn_t **conn)
{
    close_conn(*conn);
    for (uint32_t i = 0; i < (*conn)->slot_count; i++)
        pl_buffer_dispose(&(*conn)->slots[i].body);
    pl_buffer_dispose(&(*conn)->out);
    pl_load_h1_parser_dispose(&(*conn)->parser);
    free(*conn);
    *conn = NULL;
}

void pl_load_conn_submit(pl_load_slot_t *slot, const pl_load_request_t *request)
{
    pl_load_conn_t *conn = slot->conn;

    slot->in_flight = true;
    slot->status = 0;
    slot->body_bytes = 0;
    conn->protocol->submit(slot, request);
    if (!conn->is_waiting) {
        conn->is_waiting = true;
        conn->next_waiting = conn->group->waiting;
        conn->group->waiting = conn;
    }
}

void pl_load_conn_done(pl_load_slot_t *slot, bool lost)
{
    slot->in_flight = false;
    /* A stream can be reset without an error code and without an answer. */
    slot->conn->group->callbacks->on_done(slot, lost || slot->status == 0);
}

static int send_out(pl_load_conn_t *conn)
{
    bool full = false;

    while (conn->out_sent < conn->out.len && !full) {
        ssize_t sent = send(conn->fd, conn->out.data + conn->out_sent,
                            conn->out.len - conn->out_sent, MSG_NOSIGNAL);
        if (sent >= 0)
            conn->out_sent += (size_t)sent;
        else if (errno == EAGAIN)
            full = true;
        else if (errno != EINTR)
            return -1;
    }
    if (!full) {
        pl_buffer_clear(&conn->out);
        conn->out_sent = 0;
    }
    if (full != conn->wants_write) {
        conn->wants_write = full;
        watch(conn, EPOLL_CTL_MOD);
    }
    return 0;
}

static void flush(pl_load_conn_t *conn)
{
    if (conn->fd >= 0 && (conn->protocol->collect(conn) != 0 || send_out(conn) != 0))
        lose(conn);
}

void pl_load_conn_flush_all(pl_load_conn_group_t *group)
{
    while (group->waiting != NULL) {
        pl_load_conn_t *conn = group->waiting;
        group->waiting = conn->next_waiting;
        conn->is_waiting = false;
        flush(conn);
    }
}

/* A read that does not fill the buffer has taken everything, unless the end follows it (at_end),
 * which epoll reports only once. Returns -1 if the server has closed the connection or it is
 * unusable. */
static int receive(pl_load_conn_t *conn, bool at_end)
{
    static _Thread_local char data[RECEIVE_SIZE];
    ssize_t len;

    do {
        len = recv(conn->fd, data, sizeof(data), 0);
        if (len < 0)
            return errno == EAGAIN ? 0 : -1;
        if (len == 0)
            return -1;
        conn->group->bytes_received += (uint64_t)len;
        if (conn->protocol->receive(conn, data, (size_t)len) != 0)
            return -1;
    } while (at_end || len == sizeof(data));
    return 0;
}

void pl_load_conn_on_event(pl_load_conn_t *conn, uint32_t events)
{
    if (conn->fd < 0)
        return;
    bool at_end = (events & ~(uint32_t)(EPOLLIN | EPOLLOUT)) != 0;
    if ((events & ~(uint32_t)EPOLLOUT) != 0 && receive(conn, at_end) != 0) {
        lose(conn);
        return;
    }
    flush(conn);
}

void pl_load_conn_wait(int epoll, int64_t until_us)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t wait_us = until_us - pl_clock_monotonic_us();

    if (wait_us < 0)
        wait_us = 0;
    if (wait_us > WAIT_MAX_US)
        wait_us = WAIT_MAX_US;
    struct timespec timeout = {.tv_nsec = wait_us * 1000};
    int count = epoll_pwait2(epoll, events, EVENTS_AT_ONCE, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        pl_load_die("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        pl_load_conn_on_event(events[i].data.ptr, events[i].events);
}
