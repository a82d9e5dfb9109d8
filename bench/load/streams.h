/* The event streams of one thread: opened a few at a time, then listened to. */
#ifndef PL_LOAD_STREAMS_H
#define PL_LOAD_STREAMS_H

#include <stdint.h>

#include "load/conn.h"
#include "load/result.h"

typedef struct pl_load_stream pl_load_stream_t;

/* A message of this thread's generator has come on a stream. */
typedef void (*pl_load_message_fn)(void *owner, uint64_t sequence, int64_t intended_us,
                                   int64_t now_us);

typedef struct pl_load_streams {
    const pl_load_generator_t *generator;
    pl_load_result_t *result;
    pl_load_conn_group_t group;
    pl_load_conn_t **conns;
    pl_load_stream_t *streams;
    const uint32_t *users; /* of each stream */
    uint32_t count;
    uint32_t begun;
    uint32_t opening;
    uint32_t open;
    pl_load_message_fn on_message; /* NULL: events are counted and not read */
    void *message_owner;
    char *needle; /* what stands before the sequence of our messages */
    size_t needle_len;
} pl_load_streams_t;

/* users (freed with the streams) has the user of each of count streams. */
void pl_load_streams_init(pl_load_streams_t *streams, const pl_load_options_t *options,
                          const pl_load_generator_t *generator, pl_load_result_t *result, int epoll,
                          uint32_t *users, uint32_t count);
void pl_load_streams_dispose(pl_load_streams_t *streams);

/* From now on on_message is told of the messages. */
void pl_load_streams_listen(pl_load_streams_t *streams, pl_load_message_fn on_message, void *owner);

/* Opens all, and returns when each has had its first event or was refused, or on a stop. */
void pl_load_streams_open(pl_load_streams_t *streams);

/* Holds them until that time (monotonic) or a stop. */
void pl_load_streams_hold(pl_load_streams_t *streams, int64_t until_us);

/* Brings the counts to the result. */
void pl_load_streams_count(pl_load_streams_t *streams);

#endif
