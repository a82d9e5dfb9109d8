/* HTTP/2 with prior knowledge: a connection has as many requests in flight as it has slots. */
#include <string.h>

#include "load/conn.h"

/* Large enough that the server never waits for the window. */
#define STREAM_WINDOW (1 << 20)
#define CONNECTION_WINDOW (1 << 24)

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    pl_load_slot_t *slot = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)user_data;
    if (slot != NULL && name_len == 7 && value_len == 3 && memcmp(name, ":status", 7) == 0)
        slot->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user_data)
{
    pl_load_conn_t *conn = user_data;
    pl_load_slot_t *slot = nghttp2_session_get_stream_user_data(session, stream_id);

    (void)flags;
    if (slot != NULL) {
        slot->body_bytes += len;
        if (conn->group->callbacks->on_body != NULL)
            conn->group->callbacks->on_body(slot, (const char *)data, len);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    pl_load_slot_t *slot = nghttp2_session_get_stream_user_data(session, stream_id);

    (void)user_data;
    if (slot != NULL)
        pl_load_conn_done(slot, error_code != NGHTTP2_NO_ERROR);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    pl_load_conn_t *conn = user_data;

    if (frame->hd.type == NGHTTP2_GOAWAY)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        uint32_t allowed = nghttp2_session_get_remote_settings(
            session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
        if (allowed < conn->slot_count)
            pl_load_die("the server allows %u streams on a connection", allowed);
    }
    return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        pl_load_die("out of memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    return callbacks;
}

static void open_h2(pl_load_conn_t *conn)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
    };
    nghttp2_session_callbacks *callbacks = make_callbacks();

    if (nghttp2_session_client_new(&conn->session, callbacks, conn) != 0 ||
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof(settings) / sizeof(settings[0])) != 0 ||
        nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                              CONNECTION_WINDOW) != 0)
        pl_load_die("cannot begin an HTTP/2 session");
    nghttp2_session_callbacks_del(callbacks);
}

static void close_h2(pl_load_conn_t *conn)
{
    nghttp2_session_del(conn->session);
    conn->session = NULL;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    pl_load_slot_t *slot = source->ptr;
    size_t len = slot->body.len - slot->body_sent;

    (void)session;
    (void)stream_id;
    (void)user_data;
    if (len > max)
        len = max;
    memcpy(to, slot->body.data + slot->body_sent, len);
    slot->body_sent += len;
    if (slot->body_sent == slot->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

#define FIXED (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

static nghttp2_nv header(const char *name, const char *value, size_t len, uint8_t flags)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), len, flags};
}

static void submit_h2(pl_load_slot_t *slot, const pl_load_request_t *request)
{
    static const char json[] = "application/json";
    pl_load_conn_t *conn = slot->conn;
    const char *authority = conn->group->options->authority;
    char length[20];
    size_t length_len = pl_load_decimal(length, request->body_len);
    const nghttp2_nv headers[] = {
        header(":method", request->method, strlen(request->method), FIXED),
        header(":scheme", "http", 4, FIXED),
        header(":authority", authority, strlen(authority), FIXED),
        header(":path", request->path, request->path_len, NGHTTP2_NV_FLAG_NO_COPY_NAME),
        /* One connection carries the tokens of many users, which would evict each other from the
           HPACK table. */
        header("authorization", request->user->authorization, request->user->authorization_len,
               FIXED | NGHTTP2_NV_FLAG_NO_INDEX),
        header("content-type", json, sizeof(json) - 1, FIXED),
        header("content-length", length, length_len, NGHTTP2_NV_FLAG_NO_COPY_NAME),
    };
    size_t count = sizeof(headers) / sizeof(headers[0]) - (request->body_len > 0 ? 0 : 1);
    const nghttp2_data_provider provider = {.source.ptr = slot, .read_callback = read_body};

    pl_buffer_clear(&slot->body);
    pl_buffer_append(&slot->body, request->body, request->body_len);
    slot->body_sent = 0;
    int32_t stream = nghttp2_submit_request(conn->session, NULL, headers, count,
                                            request->body_len > 0 ? &provider : NULL, slot);
    if (stream < 0)
        pl_load_die("cannot submit a request: %s", nghttp2_strerror(stream));
}

static int receive_h2(pl_load_conn_t *conn, const char *data, size_t len)
{
    return nghttp2_session_mem_recv(conn->session, (const uint8_t *)data, len) < 0 ? -1 : 0;
}

static int collect_h2(pl_load_conn_t *conn)
{
    const uint8_t *data;
    ssize_t len;

    while ((len = nghttp2_session_mem_send(conn->session, &data)) > 0)
        pl_buffer_append(&conn->out, data, (size_t)len);
    return len < 0 || !nghttp2_session_want_read(conn->session) ? -1 : 0;
}

const pl_load_protocol_t pl_load_h2 = {
    .open = open_h2,
    .close = close_h2,
    .submit = submit_h2,
    .receive = receive_h2,
    .collect = collect_h2,
};
