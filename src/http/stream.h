/*
 * A response of unknown length that is written piece by piece: server-sent events, an export.
 *
 *     READY   --write----> SENDING   libh2o has the bytes in flight
 *     SENDING --proceed--> READY     nothing waits
 *     SENDING --proceed--> SENDING   what was written meanwhile is sent next, in one piece
 *     READY, SENDING --end--> ENDING what waits is sent, then the response ends
 *     any     ----------> CLOSED     ended, client gone, queue over its limit, or no progress
 *
 * A stream over its queue limit (stream_queue) or without progress while bytes are in flight
 * (stream_stall) is closed: the client comes back with its cursor. HTTP/1 connections are watched,
 * so that a client that leaves is noticed. Buffers live outside the request's pool (which only
 * grows) and are freed when nothing is in flight: an idle stream costs its struct.
 */
#ifndef PL_HTTP_STREAM_H
#define PL_HTTP_STREAM_H

#include "base/compiler.h"
#include "http/request.h"
#include "http/stream_reason.h"

typedef struct pl_stream pl_stream_t;

/* Runs exactly once per stream, never inside the call that started it. Inside pl_stream_write
 * only on overflow and in pl_stream_end and pl_stream_abort only when those close the stream at
 * once. The stream is freed when it returns. */
typedef void (*pl_stream_closed_fn)(pl_stream_t *stream, pl_stream_reason_t reason, void *owner);

/*
 * Answers 200 with `first` (at least one byte, else the headers would stay behind) and turns the
 * request into a stream. NULL if the request is not live: then nothing was done and on_closed never
 * runs. The stream keeps its own reference to the request.
 */
pl_stream_t *pl_stream_start(pl_request_t *request, const char *content_type, const char *first,
                             size_t len, pl_stream_closed_fn on_closed, void *owner) PL_MUST_USE;

/* `on_drained` runs each time that the client's socket has taken all that was written, the first
 * bytes included, and never inside a pl_stream_ call: the owner that writes the next piece only
 * then never queues more than one. It may write, end or abort. NULL takes it back. */
typedef void (*pl_stream_drained_fn)(pl_stream_t *stream, void *owner);
void pl_stream_on_drained(pl_stream_t *stream, pl_stream_drained_fn on_drained);

/* Queues bytes (copied; len > 0), all or nothing. One piece of any size is taken while nothing is
 * queued: the limit is for what piles up. -1: the queue would pass its limit, and the stream is
 * closed now: on_closed has run, the stream is gone. */
int pl_stream_write(pl_stream_t *stream, const char *data, size_t len) PL_MUST_USE;

/* Ends the response properly after what is queued. No more writes; on_closed follows (perhaps
 * before this returns). */
void pl_stream_end(pl_stream_t *stream, const char *last, size_t len);

/* Drops what is queued and cuts the response off. on_closed runs before this returns. */
void pl_stream_abort(pl_stream_t *stream);

/* Bytes that wait or are in flight. 0: the client's socket has taken everything. */
size_t pl_stream_queued(const pl_stream_t *stream);

#endif
