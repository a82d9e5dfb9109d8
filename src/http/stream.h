/*
 * A response of unknown length that is written piece by piece: server-sent events, an export.
 *
 *     READY   --write----> SENDING   bytes are in flight
 *     SENDING --proceed--> READY     libh2o has sent them, and no bytes wait
 *     SENDING --proceed--> SENDING   the bytes that were written meanwhile are sent in one piece
 *     READY, SENDING --end--> ENDING the bytes that wait are sent, then the response ends
 *     any     ----------> CLOSED     ended, client gone, queue over its limit, or no progress
 *
 * A stream is closed if its queue is over the limit (stream_queue) or if the client takes nothing
 * for a time (stream_stall) while bytes are in flight. The client then comes back with its cursor.
 * HTTP/1 connections are watched, so that a client that leaves is noticed. The buffers are not in
 * the request's pool, which only grows; they are freed when no bytes are in flight. So an idle
 * stream needs only the memory of its struct.
 *
 * Only the thread of the request's loop may call these functions (asserted).
 */
#ifndef PL_HTTP_STREAM_H
#define PL_HTTP_STREAM_H

#include "base/compiler.h"
#include "http/request.h"
#include "http/stream_reason.h"

typedef struct pl_stream pl_stream_t;

/* Runs exactly once per stream, never inside pl_stream_start. It may run inside pl_stream_write
 * (on overflow), pl_stream_end and pl_stream_abort. The owner must not use the stream after it. */
typedef void (*pl_stream_closed_fn)(pl_stream_t *stream, pl_stream_reason_t reason, void *owner);

/*
 * Answers 200 with `first` (at least one byte, else the headers would stay behind) and turns the
 * request into a stream. NULL if the request is not live: then nothing was done and on_closed never
 * runs. The stream keeps its own reference to the request.
 */
pl_stream_t *pl_stream_start(pl_request_t *request, const char *content_type, const char *first,
                             size_t len, pl_stream_closed_fn on_closed, void *owner) PL_MUST_USE;

/* `on_drained` runs each time when the client's socket has taken all bytes that were written, the
 * first ones included, and never inside a pl_stream_ call. An owner that writes the next piece only
 * then never has more than one piece in memory. It may write, end or abort. NULL takes it back. */
typedef void (*pl_stream_drained_fn)(pl_stream_t *stream, void *owner);
void pl_stream_on_drained(pl_stream_t *stream, pl_stream_drained_fn on_drained);

/* Queues a copy of the bytes (len > 0). An empty queue takes one piece of any size; the limit is
 * for further pieces. -1: the queue would be over its limit, nothing of this piece was queued, and
 * the stream is closed: on_closed has run. */
int pl_stream_write(pl_stream_t *stream, const char *data, size_t len) PL_MUST_USE;

/* Ends the response after the queued bytes and `last`. No write may follow. on_closed runs when all
 * is sent, perhaps before this returns. */
void pl_stream_end(pl_stream_t *stream, const char *last, size_t len);

/* Drops what is queued and cuts the response off. on_closed runs before this returns. */
void pl_stream_abort(pl_stream_t *stream);

/* Bytes that wait or are in flight. 0: the client's socket has taken everything. */
size_t pl_stream_queued(const pl_stream_t *stream);

#endif
