/* Why a stream was closed: for its owner, and for the metrics. */
#ifndef PL_HTTP_STREAM_REASON_H
#define PL_HTTP_STREAM_REASON_H

typedef enum pl_stream_reason {
    PL_STREAM_ENDED,    /* pl_stream_end, all was sent */
    PL_STREAM_GONE,     /* the client left */
    PL_STREAM_OVERFLOW, /* it reads too slowly: more than the limit is queued */
    PL_STREAM_STALLED,  /* no progress for too long */
    PL_STREAM_ABORTED,  /* pl_stream_abort */
} pl_stream_reason_t;

#endif
