/*
 * Resets one HTTP/2 stream that has bytes in flight.
 *
 * libh2o 2.2.5 has no public way to do so, and closing the connection instead would take the
 * streams of a proxy's other users along. This does what libh2o itself does with a stream that it
 * resets; the functions are exported, and Debian's development package has their header.
 */
#include "http/http2_reset.h"

#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

void pl_http2_reset_stream(h2o_req_t *req)
{
    h2o_http2_conn_t *connection = (h2o_http2_conn_t *)req->conn;
    h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    if (connection->state >= H2O_HTTP2_CONN_STATE_IS_CLOSING ||
        stream->state == H2O_HTTP2_STREAM_STATE_END_STREAM)
        return;
    h2o_http2_encode_rst_stream_frame(&connection->_write.buf, stream->stream_id,
                                      -H2O_HTTP2_ERROR_CANCEL);
    h2o_http2_conn_request_write(connection);
    h2o_http2_stream_reset(connection, stream);
}
