/* HTTP/1.1 with keep-alive: one request in flight on a connection. */
#include <assert.h>
#include <string.h>

#include "load/conn.h"

static void open_h1(pl_load_conn_t *conn)
{
    assert(conn->slot_count == 1);
    pl_load_h1_parser_reset(&conn->parser);
}

static void close_h1(pl_load_conn_t *conn)
{
    (void)conn;
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

static void submit_h1(pl_load_slot_t *slot, const pl_load_request_t *request)
{
    static const char length[] = "Content-Length: ";
    pl_buffer_t *out = &slot->conn->out;
    size_t method_len = strlen(request->method);
    char *begin = pl_buffer_reserve(out, method_len + request->path_len + request->user->head_len +
                                             request->body_len + 64);
    char *to = put(begin, request->method, method_len);

    *to++ = ' ';
    to = put(to, request->path, request->path_len);
    to = put(to, request->user->head, request->user->head_len);
    if (request->body_len > 0) {
        to = put(to, length, sizeof(length) - 1);
        to += pl_load_decimal(to, request->body_len);
        to = put(to, "\r\n", 2);
    }
    to = put(to, "\r\n", 2);
    if (request->body_len > 0)
        to = put(to, request->body, request->body_len);
    out->len += (size_t)(to - begin);
}

static int receive_h1(pl_load_conn_t *conn, const char *data, size_t len)
{
    pl_load_slot_t *slot = &conn->slots[0];
    pl_load_h1_piece_t piece;

    while (len > 0) {
        ssize_t taken = slot->in_flight ? pl_load_h1_parse(&conn->parser, data, len, &piece) : -1;
        if (taken < 0)
            return -1;
        data += taken;
        len -= (size_t)taken;
        slot->status = conn->parser.status;
        if (piece.body_len > 0) {
            slot->body_bytes += piece.body_len;
            if (conn->group->callbacks->on_body != NULL)
                conn->group->callbacks->on_body(slot, piece.body, piece.body_len);
        }
        if (piece.done && conn->parser.closes) {
            conn->ends = true;
            return -1;
        }
        if (piece.done)
            pl_load_conn_done(slot, false);
    }
    return 0;
}

static int collect_h1(pl_load_conn_t *conn)
{
    (void)conn;
    return 0;
}

const pl_load_protocol_t pl_load_h1 = {
    .open = open_h1,
    .close = close_h1,
    .submit = submit_h1,
    .receive = receive_h1,
    .collect = collect_h1,
};
