/*
 * A connection to the server, and the requests that are in flight on it: one over HTTP/1.1, any
 * number over HTTP/2. What is common to both is in conn.c, the rest in h1.c and h2.c.
 *
 * A connection that the server closes is opened again at once, and its requests in flight end as
 * lost. A connection of event streams stays closed. If the server cannot be reached, the program
 * ends.
 */
#ifndef PL_LOAD_CONN_H
#define PL_LOAD_CONN_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "load/generator.h"
#include "load/h1_parser.h"
#include "load/options.h"

typedef struct pl_load_conn pl_load_conn_t;

/* Holds one request at a time. */
typedef struct pl_load_slot {
    pl_load_conn_t *conn;
    struct pl_load_slot *next_idle; /* the owner's */
    void *owner_data;               /* the owner's */
    uint64_t number;                /* the owner's */
    int64_t begin_us;               /* the owner's */
    bool in_flight;
    int status;          /* 0: the answer's head has not arrived */
    uint64_t body_bytes; /* of the answer, so far */
    pl_buffer_t body;    /* of the request, HTTP/2 */
    size_t body_sent;
} pl_load_slot_t;

typedef struct pl_load_conn_callbacks {
    /* Gets each piece of an answer's body. May be NULL. */
    void (*on_body)(pl_load_slot_t *slot, const char *data, size_t len);
    /* The answer is complete, or (lost) its connection or stream has ended. The slot is free again,
     * so the callback may submit. */
    void (*on_done)(pl_load_slot_t *slot, bool lost);
} pl_load_conn_callbacks_t;

/* All connections of one thread. */
typedef struct pl_load_conn_group {
    const pl_load_options_t *options;
    const pl_load_conn_callbacks_t *callbacks;
    void *owner;
    int epoll;
    bool reopens; /* connections that the server closes */
    uint64_t bytes_received;
    pl_load_conn_t *waiting; /* connections with unflushed data */
} pl_load_conn_group_t;

typedef struct pl_load_protocol {
    void (*open)(pl_load_conn_t *conn);
    void (*close)(pl_load_conn_t *conn);
    void (*submit)(pl_load_slot_t *slot, const pl_load_request_t *request);
    /* -1: the connection is unusable */
    int (*receive)(pl_load_conn_t *conn, const char *data, size_t len);
    /* Moves pending data to `out`. -1 as above. */
    int (*collect)(pl_load_conn_t *conn);
} pl_load_protocol_t;

extern const pl_load_protocol_t pl_load_h1;
extern const pl_load_protocol_t pl_load_h2;

struct pl_load_conn {
    pl_load_conn_group_t *group;
    const pl_load_protocol_t *protocol;
    pl_load_conn_t *next_waiting;
    bool is_waiting;
    bool wants_write; /* epoll watches for it */
    bool ends;        /* HTTP/1.1: after the answer that is now complete */
    int fd;           /* -1: closed */
    pl_buffer_t out;
    size_t out_sent;
    pl_load_h1_parser_t parser;
    nghttp2_session *session;
    uint32_t slot_count;
    pl_load_slot_t slots[];
};

/* Connects, and waits until it is connected. */
pl_load_conn_t *pl_load_conn_create(pl_load_conn_group_t *group, uint32_t slots) PL_MUST_USE;
void pl_load_conn_destroy(pl_load_conn_t **conn);

/* Starts a request in a free slot. The next flush sends it. */
void pl_load_conn_submit(pl_load_slot_t *slot, const pl_load_request_t *request);

/* Sends the unflushed data of all connections of the group. */
void pl_load_conn_flush_all(pl_load_conn_group_t *group);

/* Handles the connection's epoll events. Requests that a callback submits on it are sent, too. */
void pl_load_conn_on_event(pl_load_conn_t *conn, uint32_t events);

/* For the protocols: the slot's answer has ended. */
void pl_load_conn_done(pl_load_slot_t *slot, bool lost);

/* Waits for events of the epoll's connections until that time (monotonic), 100 ms at the most, and
 * handles them. */
void pl_load_conn_wait(int epoll, int64_t until_us);

/* Prints the reason to stderr and ends the program. */
void pl_load_die(const char *format, ...) PL_PRINTF(1, 2) PL_NORETURN;

#endif
