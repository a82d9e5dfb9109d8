/*
 * libh2o answers some requests itself, as text/plain: a broken chunked body, a body over its own
 * limit, an unknown expectation, an invalid header in HTTP/2. This filter replaces such a response
 * by problem details.
 *
 * It cannot replace the answer to a request line that libh2o fails to parse: libh2o writes a fixed
 * text to the socket.
 */
#include "http/error_filter.h"

#include <string.h>

#include "http/problem.h"
#include "http/request_private.h"
#include "http/response_head.h"

struct replacement {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

/* A 503 of libh2o's comes only from the shutdown of a request that is still live
 * (pl_request_shut_down). If that request was to change something, the change may have been
 * made. */
static pl_problem_t problem_of_drop(const h2o_req_t *req)
{
    bool is_read = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
                   h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    return is_read ? PL_PROBLEM_SHUTTING_DOWN : PL_PROBLEM_OUTCOME_UNKNOWN;
}

static pl_problem_t problem_of(const h2o_req_t *req)
{
    switch (req->res.status) {
    case 403:
        return PL_PROBLEM_FORBIDDEN;
    case 404:
        return PL_PROBLEM_NOT_FOUND;
    case 405:
        return PL_PROBLEM_METHOD_NOT_ALLOWED;
    case 413:
        return PL_PROBLEM_BODY_TOO_LARGE;
    case 417:
        return PL_PROBLEM_EXPECTATION_FAILED;
    case 503:
        return problem_of_drop(req);
    default:
        return req->res.status < 500 ? PL_PROBLEM_MALFORMED_REQUEST : PL_PROBLEM_INTERNAL_ERROR;
    }
}

/* libh2o sends its error in one piece. */
static void send_replacement(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *buffers,
                             size_t buffers_count, h2o_send_state_t state)
{
    (void)buffers;
    struct replacement *self = (struct replacement *)super;
    h2o_ostream_send_next(super, req, &self->body, buffers_count > 0 ? 1 : 0, state);
}

static bool is_text(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);
    if (at < 0)
        return false;
    h2o_iovec_t type = req->res.headers.entries[at].value;
    return type.len >= 10 && memcmp(type.base, "text/plain", 10) == 0;
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    if (req->res.status >= 400 && is_text(req)) {
        pl_problem_t problem = problem_of(req);
        char id[PL_REQUEST_ID_SIZE];
        pl_buffer_t body = PL_BUFFER_EMPTY;
        pl_request_choose_id(req, id);
        pl_problem_write(&body, problem, pl_problem_title(problem), id, NULL);
        struct replacement *replacement = (struct replacement *)h2o_add_ostream(
            req, sizeof(*replacement), slot);
        replacement->super.do_send = send_replacement;
        replacement->body = h2o_strdup(&req->pool, body.data, body.len);
        pl_buffer_dispose(&body);
        req->res.status = pl_problem_status(problem);
        req->res.reason = pl_response_reason(req->res.status);
        req->res.content_length = replacement->body.len;
        req->res.headers.size = 0;
        pl_response_add_header(req, "content-type", "application/problem+json");
        pl_response_add_header(req, "cache-control", "no-store");
        pl_response_add_header(req, "x-request-id", id);
        pl_response_add_common_headers(req);
        if (req->res.status == 503)
            pl_response_add_header(req, "retry-after", H2O_TO_STR(PL_RETRY_AFTER_S));
        slot = &replacement->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

void pl_error_filter_register(h2o_pathconf_t *pathconf)
{
    h2o_filter_t *filter = h2o_create_filter(pathconf, sizeof(*filter));
    filter->on_setup_ostream = on_setup_ostream;
}
