/* Answers to requests. Each has its length: without it libh2o closes an HTTP/1.1 connection after
 * any status but 200. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/budget.h"
#include "http/measure.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/request_private.h"
#include "http/response_head.h"

/* A smaller body is not worth compressing: it fits into one packet as it is. */
#define COMPRESSIBLE_BYTES 1024

/* For responses that are sent in one piece. */
static h2o_generator_t one_piece;

static bool has_no_content(int status)
{
    return status == 204 || status == 304;
}

/*
 * The edge compresses JSON. This does not help a small body. It must not happen to a token: an
 * attacker who can choose a part of a compressed answer learns from its length whether that part
 * equals another part of it. A 304 is not marked, because its headers would replace those of the
 * page that it confirms.
 */
static bool is_compressible(const pl_reply_t *reply, size_t len)
{
    return has_no_content(reply->status) || (len >= COMPRESSIBLE_BYTES && !reply->has_token);
}

static void add_cache_headers(h2o_req_t *req, pl_cache_policy_t cache, bool is_compressible)
{
    static const struct {
        const char *compressible, *other;
    } controls[] = {
        [PL_CACHE_NO_STORE] = {"no-store", "no-store, no-transform"},
        [PL_CACHE_REVALIDATE] = {"private, no-cache", "private, no-cache, no-transform"},
        [PL_CACHE_PUBLIC] = {"public, no-cache", "public, no-cache, no-transform"},
    };
    h2o_headers_t *headers = &req->res.headers;
    const char *control = is_compressible ? controls[cache].compressible : controls[cache].other;

    h2o_add_header(&req->pool, headers, H2O_TOKEN_CACHE_CONTROL, NULL, control, strlen(control));
    if (cache == PL_CACHE_REVALIDATE)
        h2o_add_header(&req->pool, headers, H2O_TOKEN_VARY, NULL,
                       H2O_STRLIT("authorization, cookie"));
}

static void add_headers(h2o_req_t *req, const char *id, const pl_reply_t *reply, size_t len)
{
    h2o_iovec_t id_copy = h2o_strdup(&req->pool, id, strlen(id));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-request-id"), 0, NULL,
                          id_copy.base, id_copy.len);
    pl_response_add_common_headers(req);
    add_cache_headers(req, reply->cache, is_compressible(reply, len));
    if (reply->etag != NULL)
        pl_response_add_header(req, "etag", reply->etag);
    if (reply->location != NULL)
        pl_response_add_header(req, "location", reply->location);
    for (size_t i = 0; i < sizeof(reply->set_cookies) / sizeof(reply->set_cookies[0]); i++)
        if (reply->set_cookies[i] != NULL)
            pl_response_add_header(req, "set-cookie", reply->set_cookies[i]);
    if (reply->allow != NULL)
        pl_response_add_header(req, "allow", reply->allow);
    if (reply->www_authenticate != NULL)
        pl_response_add_header(req, "www-authenticate", reply->www_authenticate);
    if (reply->content_security_policy != NULL)
        pl_response_add_header(req, "content-security-policy", reply->content_security_policy);
    if (reply->retry_after_s > 0) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%d", reply->retry_after_s);
        pl_response_add_header(req, "retry-after", seconds);
    }
}

static bool is_read(const pl_request_t *request)
{
    return h2o_memis(request->req->method.base, request->req->method.len, H2O_STRLIT("GET"));
}

/* Constant data takes no memory. The answer to a request that has changed something is not refused,
 * and is not large. */
static pl_limit_t hold(pl_request_t *request, size_t len, bool is_constant)
{
    return is_constant || len <= PL_BUDGET_FREE_BYTES || !is_read(request)
               ? PL_LIMIT_NONE
               : pl_budget_hold(request, len);
}

void pl_request_reply_shared(pl_request_t *request, const pl_reply_t *reply, const char *data,
                             size_t len, void (*release)(void *owner), void *owner)
{
    bool sends_body = len > 0 && !request->is_head && !has_no_content(reply->status);

    bool is_live = pl_request_is_live(request);
    pl_limit_t limit = is_live && sends_body ? hold(request, len, release == NULL) : PL_LIMIT_NONE;

    if (!is_live || limit != PL_LIMIT_NONE) {
        if (release != NULL)
            release(owner);
        if (is_live)
            pl_problem_reply_limit(request, limit);
        return;
    }
    h2o_req_t *req = request->req;
    pl_request_set_answered(request, reply->status);
    request->release = release;
    request->release_owner = owner;
    req->res.status = reply->status;
    req->res.reason = pl_response_reason(reply->status);
    req->res.content_length = has_no_content(reply->status) ? SIZE_MAX : len;
    if (!has_no_content(reply->status))
        pl_response_add_header(req, "content-type",
                               reply->content_type != NULL ? reply->content_type
                                                           : "application/json");
    add_headers(req, request->id, reply, len);
    request->reply_len = sends_body ? len : 0;
    pl_measure_body_sent(request->reply_len);
    pl_request_await_progress(request);

    h2o_iovec_t body = {.base = (char *)(uintptr_t)data, .len = len};
    h2o_start_response(req, &one_piece);
    h2o_send(req, &body, sends_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}

void pl_request_reply(pl_request_t *request, const pl_reply_t *reply, pl_buffer_t *body)
{
    char *data = NULL;
    size_t len = 0;
    if (body != NULL) {
        data = body->data;
        len = body->len;
        *body = PL_BUFFER_EMPTY;
    }
    pl_request_reply_shared(request, reply, data, len, free, data);
}

void pl_request_reply_no_content(pl_request_t *request)
{
    pl_request_reply_shared(request, &(pl_reply_t){.status = 204}, NULL, 0, NULL, NULL);
}

void pl_request_reply_not_modified(pl_request_t *request, const char *etag, pl_cache_policy_t cache)
{
    pl_reply_t reply = {.status = 304, .cache = cache, .etag = etag};
    pl_request_reply_shared(request, &reply, NULL, 0, NULL, NULL);
}
