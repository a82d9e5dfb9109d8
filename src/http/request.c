#include "http/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "http/budget.h"
#include "http/connection.h"
#include "http/http2_reset.h"
#include "http/measure.h"
#include "http/request_private.h"
#include "http/server_private.h"
#include "http/tcp_progress.h"

/* A request that its client cancels later than this does not count as a rapid reset. */
#define RESET_IS_RAPID_US 1000000

static int fd_of(const h2o_req_t *req)
{
    return h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn));
}

static bool is_own(const pl_request_t *request)
{
    return pl_loop_is_own(request->worker->loop);
}

pl_request_t *pl_request_ref(pl_request_t *request)
{
    assert(is_own(request) && request->refs > 0);
    request->refs++;
    return request;
}

void pl_request_unref(pl_request_t **request_p)
{
    pl_request_t *request = *request_p;
    *request_p = NULL;
    if (request == NULL)
        return;
    assert(is_own(request) && request->refs > 0);
    if (--request->refs > 0)
        return;
    assert(request->req == NULL && request->state != PL_REQUEST_LIVE && request->body == NULL);
    atomic_fetch_sub_explicit(&request->worker->server->requests, 1, memory_order_relaxed);
    request->worker->handles--;
    pl_budget_leave(request);
    pl_measure_request_freed();
    pl_connection_release(request->connection);
    free(request);
}

bool pl_request_is_live(const pl_request_t *request)
{
    assert(is_own(request));
    return request->state == PL_REQUEST_LIVE;
}

/* LIVE -> ANSWERED or GONE. The only function that changes the state. */
static void end_live(pl_request_t *request, enum pl_request_state state)
{
    assert(is_own(request) && request->state == PL_REQUEST_LIVE);
    request->state = state;
}

static void set_gone(pl_request_t *request)
{
    end_live(request, PL_REQUEST_GONE);
    pl_measure_request_end(request->route, 0, request->started_us);
    pl_request_gone_fn on_gone = request->on_gone;
    request->on_gone = NULL;
    if (on_gone != NULL)
        on_gone(request, request->owner);
}

/* True if the client left before it was sent the whole answer. */
static bool is_cut_short(const pl_request_t *request)
{
    return request->state == PL_REQUEST_LIVE || request->req->bytes_sent < request->reply_len;
}

/* libh2o disposes of the request: the client left, or the whole response was sent. */
static void on_dispose(void *cell)
{
    pl_request_t *request = *(pl_request_t **)cell;
    assert(is_own(request) && request->req != NULL);
    bool is_rapid = is_cut_short(request) &&
                    pl_clock_monotonic_us() - request->started_us < RESET_IS_RAPID_US;
    request->req = NULL;
    h2o_linklist_unlink(&request->link);
    pl_watcher_remove(request->worker->watcher, &request->watch);
    pl_timer_disarm(&request->stall);
    pl_connection_leave(request->connection, is_rapid);
    if (request->state == PL_REQUEST_LIVE)
        set_gone(request);
    if (request->body != NULL)
        request->body->callbacks->on_disposed(request->body);
    pl_budget_release(request);
    pl_budget_return_shares(request);
    if (request->release != NULL)
        request->release(request->release_owner);
    pl_request_unref(&request);
}

/* LIVE -> GONE, though the client may still be there. libh2o disposes of a request only after an
 * answer, even if the client has left, so this gives one: a 503. */
static void drop(pl_request_t *request)
{
    if (request->state != PL_REQUEST_LIVE)
        return;
    pl_request_ref(request);
    set_gone(request);
    request->req->http1_is_persistent = 0;
    h2o_send_error_503(request->req, "Service Unavailable", "dropped", 0);
    pl_request_unref(&request);
}

void pl_request_shut_down(pl_request_t *request)
{
    if (request->body != NULL)
        request->body->callbacks->on_shutdown(request->body);
    else
        drop(request);
}

/* The client has closed the connection while the request is held or its response is produced. */
static void on_hangup(pl_watch_t *watch)
{
    pl_request_t *request = H2O_STRUCT_FROM_MEMBER(pl_request_t, watch, watch);
    pl_watcher_remove(request->worker->watcher, watch);
    if (request->body != NULL)
        request->body->callbacks->on_hangup(request->body);
    else
        drop(request);
}

/* True if bytes were sent since the last check. In HTTP/2 libh2o counts the bytes of the frames
 * that it has written. In HTTP/1 it counts the bytes that it was given to send, so the kernel is
 * asked how many the client has acknowledged. */
static bool has_progressed(pl_request_t *request)
{
    uint64_t before = request->progress;
    h2o_req_t *req = request->req;
    request->progress = req->version >= 0x200 ? req->bytes_sent : pl_tcp_acknowledged(fd_of(req));
    return request->progress != before;
}

void pl_request_await_progress(pl_request_t *request)
{
    has_progressed(request);
    request->idle_checks = 0;
    pl_timer_arm(request->worker->stall_queue, &request->stall);
}

static void on_stall_check(pl_timer_t *timer)
{
    pl_request_t *request = H2O_STRUCT_FROM_MEMBER(pl_request_t, stall, timer);
    request->idle_checks = has_progressed(request) ? 0 : request->idle_checks + 1;
    if (request->idle_checks < PL_REQUEST_STALL_CHECKS)
        pl_timer_arm(request->worker->stall_queue, timer);
    else if (request->body != NULL)
        request->body->callbacks->on_stalled(request->body);
    else
        pl_request_cut(request);
}

void pl_request_choose_id(const h2o_req_t *req, char id_r[PL_REQUEST_ID_SIZE])
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-request-id"), -1);
    if (at >= 0) {
        h2o_iovec_t value = req->headers.entries[at].value;
        if (value.len > 0 && value.len < PL_REQUEST_ID_SIZE) {
            memcpy(id_r, value.base, value.len);
            id_r[value.len] = '\0';
            if (strspn(id_r, allowed) == value.len)
                return;
        }
    }
    static const char digits[] = "0123456789abcdef";
    uint64_t random = pl_random_u64();
    for (size_t i = 0; i < 16; i++)
        id_r[i] = digits[random >> (60 - 4 * i) & 15];
    id_r[16] = '\0';
}

pl_request_t *pl_request_create(h2o_req_t *req)
{
    pl_request_t *request = pl_calloc(1, sizeof(*request));
    pl_server_worker_t *worker = pl_server_worker_of(req);
    assert(pl_loop_is_own(worker->loop));
    request->req = req;
    request->worker = worker;
    request->connection = pl_connection_of(req);
    request->refs = 1;
    request->is_head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    request->started_us = pl_clock_monotonic_us();
    request->watch.on_hangup = on_hangup;
    request->stall.on_fire = on_stall_check;
    pl_request_choose_id(req, request->id);
    h2o_linklist_insert(&worker->requests, &request->link);
    atomic_fetch_add_explicit(&worker->server->requests, 1, memory_order_relaxed);
    worker->handles++;
    pl_measure_request_start(req->entity.len);
    pl_request_t **cell = h2o_mem_alloc_shared(&req->pool, sizeof(request), on_dispose);
    *cell = request;
    return request;
}

void pl_request_set_answered(pl_request_t *request, int status)
{
    end_live(request, PL_REQUEST_ANSWERED);
    request->on_gone = NULL;
    if (request->worker->draining)
        request->req->http1_is_persistent = 0;
    pl_measure_request_end(request->route, status, request->started_us);
}

void pl_request_cut(pl_request_t *request)
{
    h2o_req_t *req = request->req;
    assert(is_own(request));
    if (req == NULL)
        return;
    if (req->version >= 0x200) {
        pl_http2_reset_stream(req);
        return;
    }
    req->http1_is_persistent = 0;
    if (request->body != NULL && request->body->callbacks->is_idle(request->body))
        h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
    else
        shutdown(fd_of(req), SHUT_RDWR);
}

void pl_request_on_gone(pl_request_t *request, pl_request_gone_fn on_gone, void *owner)
{
    if (!pl_request_is_live(request))
        return;
    request->on_gone = on_gone;
    request->owner = owner;
}

void pl_request_hold(pl_request_t *request)
{
    h2o_req_t *req = request->req;
    assert(is_own(request));
    if (req == NULL || req->version >= 0x200)
        return;
    pl_watcher_add(request->worker->watcher, &request->watch, fd_of(req));
}

/* ---- context ---- */

const char *pl_request_id(const pl_request_t *request)
{
    return request->id;
}

const char *pl_request_operation(const pl_request_t *request)
{
    return request->route->operation;
}

const pl_token_claims_t *pl_request_claims(const pl_request_t *request)
{
    return request->has_claims ? &request->claims : NULL;
}

pl_loop_t *pl_request_loop(const pl_request_t *request)
{
    return request->worker->loop;
}
