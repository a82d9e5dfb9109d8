/* Resets one HTTP/2 stream that has bytes in flight. */
#ifndef PL_HTTP_HTTP2_RESET_H
#define PL_HTTP_HTTP2_RESET_H

#include <h2o.h>

/* libh2o may have disposed of the request when this returns. Does nothing if the stream has ended
 * or its connection is closing. */
void pl_http2_reset_stream(h2o_req_t *req);

#endif
