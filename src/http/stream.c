#include "http/stream.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "http/measure.h"
#include "http/request_private.h"
#include "http/response_head.h"
#include "http/server_private.h"

enum state { READY, SENDING, ENDING, CLOSED };

struct pl_stream {
    h2o_generator_t generator;
    pl_response_body_t body;
    pl_request_t *request;
    enum state state;
    bool is_final;       /* libh2o was told that nothing follows */
    pl_buffer_t sending; /* in flight: libh2o reads it until it asks for more */
    pl_buffer_t waiting;
    pl_stream_closed_fn on_closed;
    void (*on_drained)(pl_stream_t *stream, void *owner);
    void *owner;
    pl_deferred_t cut; /* in CLOSED: the response is cut off at the end of the turn */
};

static bool is_own(const pl_stream_t *stream)
{
    return pl_loop_is_own(stream->request->worker->loop);
}

/* The only function that changes the state. */
static void set_state(pl_stream_t *stream, enum state state)
{
    static const bool is_allowed[CLOSED + 1][CLOSED + 1] = {
        [READY] = {[SENDING] = true, [ENDING] = true, [CLOSED] = true},
        [SENDING] = {[READY] = true, [ENDING] = true, [CLOSED] = true},
        [ENDING] = {[CLOSED] = true},
    };
    assert(is_own(stream) && is_allowed[stream->state][state]);
    stream->state = state;
}

static void free_stream(pl_stream_t *stream)
{
    pl_deferred_cancel(&stream->cut);
    pl_buffer_dispose(&stream->sending);
    pl_buffer_dispose(&stream->waiting);
    stream->request->body = NULL;
    pl_request_unref(&stream->request);
    free(stream);
}

/* any -> CLOSED, once. */
static void set_closed(pl_stream_t *stream, pl_stream_reason_t reason)
{
    if (stream->state == CLOSED)
        return;
    set_state(stream, CLOSED);
    atomic_fetch_sub_explicit(&stream->request->worker->server->streams, 1, memory_order_relaxed);
    pl_measure_stream_end(reason);
    stream->on_closed(stream, reason, stream->owner);
}

/* Gives libh2o the bytes that wait. */
static void send_waiting(pl_stream_t *stream, bool is_final)
{
    assert(stream->state == (is_final ? ENDING : SENDING) && !stream->is_final);
    pl_buffer_dispose(&stream->sending);
    stream->sending = stream->waiting;
    stream->waiting = PL_BUFFER_EMPTY;
    stream->is_final = is_final;
    h2o_iovec_t bytes = {stream->sending.data, stream->sending.len};
    pl_measure_body_sent(bytes.len);
    pl_request_await_progress(stream->request);
    h2o_send(stream->request->req, &bytes, bytes.len > 0 ? 1 : 0,
             is_final ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
    /* A final send may have disposed of the request and freed the stream. */
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)req;
    pl_stream_t *stream = H2O_STRUCT_FROM_MEMBER(pl_stream_t, generator, generator);
    pl_timer_disarm(&stream->request->stall);
    pl_buffer_dispose(&stream->sending);
    if (stream->state == ENDING) {
        send_waiting(stream, true);
    } else if (stream->state == SENDING && stream->waiting.len > 0) {
        send_waiting(stream, false);
    } else if (stream->state == SENDING) {
        set_state(stream, READY);
        if (stream->on_drained != NULL)
            stream->on_drained(stream, stream->owner);
    }
}

static void on_cut(pl_deferred_t *deferred)
{
    pl_stream_t *stream = H2O_STRUCT_FROM_MEMBER(pl_stream_t, cut, deferred);
    pl_request_cut(stream->request);
}

/* Tells the owner now and libh2o at the end of the turn: this may run in a handler of another
 * stream of the same connection, in the middle of libh2o's work on it. */
static void close_stream(pl_stream_t *stream, pl_stream_reason_t reason)
{
    assert(is_own(stream));
    if (stream->state == CLOSED)
        return;
    set_closed(stream, reason);
    stream->cut.run = on_cut;
    pl_loop_defer(stream->request->worker->loop, &stream->cut);
}

static pl_stream_t *stream_of(const pl_response_body_t *body)
{
    return H2O_STRUCT_FROM_MEMBER(pl_stream_t, body, body);
}

/* The response is over: all was sent, or the client left. */
static void on_disposed(pl_response_body_t *body)
{
    pl_stream_t *stream = stream_of(body);
    set_closed(stream, stream->is_final ? PL_STREAM_ENDED : PL_STREAM_GONE);
    free_stream(stream);
}

static void on_stalled(pl_response_body_t *body)
{
    close_stream(stream_of(body), PL_STREAM_STALLED);
}

static void on_hangup(pl_response_body_t *body)
{
    close_stream(stream_of(body), PL_STREAM_GONE);
}

static void on_shutdown(pl_response_body_t *body)
{
    close_stream(stream_of(body), PL_STREAM_ABORTED);
}

static bool is_idle(const pl_response_body_t *body)
{
    const pl_stream_t *stream = stream_of(body);
    return stream->sending.len == 0 && !stream->is_final;
}

static const pl_response_body_callbacks_t callbacks = {
    .on_disposed = on_disposed,
    .on_stalled = on_stalled,
    .on_hangup = on_hangup,
    .on_shutdown = on_shutdown,
    .is_idle = is_idle,
};

pl_stream_t *pl_stream_start(pl_request_t *request, const char *content_type, const char *first,
                             size_t len, pl_stream_closed_fn on_closed, void *owner)
{
    assert(len > 0);
    if (!pl_request_is_live(request))
        return NULL;
    pl_stream_t *stream = pl_calloc(1, sizeof(*stream));
    stream->generator.proceed = on_proceed;
    stream->body.callbacks = &callbacks;
    stream->request = pl_request_ref(request);
    stream->state = SENDING;
    stream->on_closed = on_closed;
    stream->owner = owner;
    pl_buffer_append(&stream->waiting, first, len);
    atomic_fetch_add_explicit(&request->worker->server->streams, 1, memory_order_relaxed);
    pl_measure_stream_start();
    pl_request_set_answered(request, 200);
    request->body = &stream->body;

    h2o_req_t *req = request->req;
    req->res.status = 200;
    req->res.reason = "OK";
    req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    pl_response_add_header(req, "content-type", content_type);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store, no-transform"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-accel-buffering"), 0, NULL,
                          H2O_STRLIT("no"));
    pl_response_add_header(req, "x-request-id", request->id);
    pl_response_add_common_headers(req);
    pl_request_hold(request);
    h2o_start_response(req, &stream->generator);
    send_waiting(stream, false);
    return stream;
}

void pl_stream_on_drained(pl_stream_t *stream, void (*on_drained)(pl_stream_t *stream, void *owner))
{
    assert(is_own(stream));
    stream->on_drained = on_drained;
}

int pl_stream_write(pl_stream_t *stream, const char *data, size_t len)
{
    assert(is_own(stream) && len > 0 && (stream->state == READY || stream->state == SENDING));
    size_t limit = stream->request->worker->server->options.stream_queue;
    if (stream->waiting.len > 0 && stream->waiting.len + len > limit) {
        close_stream(stream, PL_STREAM_OVERFLOW);
        return -1;
    }
    pl_buffer_append(&stream->waiting, data, len);
    if (stream->state == READY) {
        set_state(stream, SENDING);
        send_waiting(stream, false);
    }
    return 0;
}

void pl_stream_end(pl_stream_t *stream, const char *last, size_t len)
{
    assert(is_own(stream));
    if (stream->state != READY && stream->state != SENDING)
        return;
    bool was_ready = stream->state == READY;
    set_state(stream, ENDING);
    pl_buffer_append(&stream->waiting, last, len);
    if (was_ready)
        send_waiting(stream, true);
}

void pl_stream_abort(pl_stream_t *stream)
{
    close_stream(stream, PL_STREAM_ABORTED);
}

size_t pl_stream_queued(const pl_stream_t *stream)
{
    assert(is_own(stream));
    return stream->sending.len + stream->waiting.len;
}
