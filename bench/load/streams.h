/* The event streams of one thread: opened a few at a time, then listened to. */
#ifndef PL_LOAD_STREAMS_H
#define PL_LOAD_STREAMS_H

#include <stdint.h>

#include "load/conn.h"
#include "load/result.h"

typedef struct pl_load_stream pl_load_stream_t;

/* Called when a message of this thread's generator arrives on a stream. */
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
    pl_load_message_fn on_message; /* NULL: events are counted but not read */
    void *message_owner;
    char *needle; /* the text before the sequence of this program's messages */
    size_t needle_len;
} pl_load_streams_t;

/* users[i], for each of `count` streams, is its user; freed with the streams. */
void pl_load_streams_init(pl_load_streams_t *streams, const pl_load_options_t *options,
                          const pl_load_generator_t *generator, pl_load_result_t *result, int epoll,
                          uint32_t *users, uint32_t count);
void pl_load_streams_dispose(pl_load_streams_t *streams);

/* From now on on_message is called for each message. */
void pl_load_streams_listen(pl_load_streams_t *streams, pl_load_message_fn on_message, void *owner);

/* Opens all streams. Returns when each had its first event or was refused, or on a stop. */
void pl_load_streams_open(pl_load_streams_t *streams);

/* Holds them until the given time (monotonic) or a stop. */
void pl_load_streams_hold(pl_load_streams_t *streams, int64_t until_us);

/* Adds the counts to the result. */
void pl_load_streams_count(pl_load_streams_t *streams);

#endif
