/*
 * A request as the handlers see it: a counted handle that outlives libh2o's own request.
 *
 * libh2o disposes of a request the moment its client leaves, while work for it may still sit in a
 * queue. So nothing above src/http ever holds an h2o_req_t. The handle has three states:
 *
 *     LIVE     --reply--------> ANSWERED   libh2o has the whole response, or a stream produces it
 *     LIVE     --client left--> GONE       on_gone has run; a reply does nothing
 *
 * src/http keeps one reference from the start until libh2o disposes of the request. A handler that
 * answers before it returns needs no other; work that outlives the handler takes one and gives it
 * back when it ends.
 *
 * What the client sent (path, headers, body, query) may be read only while the handle is LIVE. The
 * id, the claims and the operation may be read as long as a reference is held. Only the thread of
 * the request's loop may call these functions (asserted).
 */
#ifndef PL_HTTP_REQUEST_H
#define PL_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/claims.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "http/address.h"
#include "http/slice.h"
#include "loop/loop.h"

typedef struct pl_request pl_request_t;

/* ---- lifetime ---- */

pl_request_t *pl_request_ref(pl_request_t *request);
void pl_request_unref(pl_request_t **request);

/* True until a reply was given or the client left. */
bool pl_request_is_live(const pl_request_t *request);

/*
 * `on_gone` runs once if the client leaves before a reply was given, and never before this returns.
 * It runs inside libh2o's disposal of the request: it may cancel queued work and drop references,
 * and must not answer other requests. NULL removes it.
 */
typedef void (*pl_request_gone_fn)(pl_request_t *request, void *owner);
void pl_request_on_gone(pl_request_t *request, pl_request_gone_fn on_gone, void *owner);

/*
 * For a request that is answered in a later turn of the loop (long-poll): watches its HTTP/1
 * connection, because libh2o does not read from it meanwhile and would not notice that the client
 * leaves. The watch ends with the request.
 */
void pl_request_hold(pl_request_t *request);

/* ---- context ---- */

const char *pl_request_id(const pl_request_t *request);
/* The operation's name from the route table. */
const char *pl_request_operation(const pl_request_t *request);
/* The caller; NULL when the route is public or the optional token is absent. */
const pl_token_claims_t *pl_request_claims(const pl_request_t *request);
pl_loop_t *pl_request_loop(const pl_request_t *request);

/* ---- what the client sent ---- */

/* The n-th {parameter} of the route's pattern, percent-decoded; without NUL and never empty. */
pl_slice_t pl_request_path_parameter(const pl_request_t *request, size_t n);
/* `name` in lower case. If the header is repeated, the first one. */
pl_slice_t pl_request_header(const pl_request_t *request, const char *name);
pl_slice_t pl_request_cookie(const pl_request_t *request, const char *name);
/* True if the client says that the request comes from a page of this server. Browsers send a cookie
 * on behalf of any site that asks them to, so a change by a cookie needs this. */
bool pl_request_is_same_origin(const pl_request_t *request);
/* The IP address of the client: as a trusted edge gives it, else of the connection. "" if it is not
 * known. */
void pl_request_client_address(const pl_request_t *request, char address_r[PL_ADDRESS_SIZE]);
/* Not NUL-terminated; len 0 without a body. */
pl_slice_t pl_request_body(const pl_request_t *request);
/* Overwrites the body with zeros, which had a secret. Call it when the body has been decoded. */
void pl_request_wipe_body(pl_request_t *request);
/* True when If-None-Match names `etag` (with its quotes; weak comparison) or is "*". */
bool pl_request_has_etag(const pl_request_t *request, const char *etag);

/* ---- query parameters: query.c ---- */

/* The caller sets the name; pl_request_query sets the value, percent-decoded. It is valid UTF-8
 * without NUL, and absent (data NULL) if the parameter was not given. */
typedef struct pl_query_parameter {
    const char *name;
    bool is_list; /* may be repeated: name=a&name=b has the value "a,b", as name=a,b has */
    pl_slice_t value;
} pl_query_parameter_t;

/* -1: the query has an unknown parameter, repeats one that is no list, or has a bad escape or a
 * value that is not valid UTF-8. Then the request was answered with a 400. */
int pl_request_query(pl_request_t *request, pl_query_parameter_t *parameters,
                     size_t count) PL_MUST_USE;

/* Reads the parameter's value as a decimal integer in [min, max]; `fallback` if it was not given.
 * -1: the value is no such integer, and the request was answered with a 422 that points to it. */
int pl_request_query_integer(pl_request_t *request, const pl_query_parameter_t *parameter,
                             int64_t min, int64_t max, int64_t fallback,
                             int64_t *value_r) PL_MUST_USE;

/* ---- replies: reply.c. If the request is not live, they only free what they were given. ---- */

typedef enum pl_cache_policy {
    /* Cache-Control: no-store. Each policy adds no-transform to answers that are small or carry a
     * token */
    PL_CACHE_NO_STORE,
    /* Cache-Control: private, no-cache; Vary: Authorization, Cookie: for what has an ETag */
    PL_CACHE_REVALIDATE,
    /* Cache-Control: public, no-cache: for what is the same for every caller */
    PL_CACHE_PUBLIC,
} pl_cache_policy_t;

/* Zeroed members are left out. The strings are copied. */
typedef struct pl_reply {
    int status;
    pl_cache_policy_t cache;
    const char *content_type; /* default application/json */
    const char *etag;         /* with its quotes */
    const char *location;
    const char *set_cookies[2];
    const char *allow;
    const char *www_authenticate;
    const char *content_security_policy;
    int retry_after_s; /* 0: none */
    bool has_token;    /* the body carries a token: no proxy may compress it */
} pl_reply_t;

/* Answers with the buffer's bytes, taking them over: the buffer is empty afterwards. NULL: no
 * body. */
void pl_request_reply(pl_request_t *request, const pl_reply_t *reply, pl_buffer_t *body);

/* Answers with bytes that `release(owner)` gives back once libh2o no longer needs them (at once
 * if the request is not live); `release` may be NULL for constant data. The owner's count need
 * not be atomic: it is called on this thread. A large body that would go over a budget
 * (http/budget.h) is given back at once, and the answer is a problem. */
void pl_request_reply_shared(pl_request_t *request, const pl_reply_t *reply, const char *data,
                             size_t len, void (*release)(void *owner), void *owner);

/* 204, and 304 with that ETag. */
void pl_request_reply_no_content(pl_request_t *request);
void pl_request_reply_not_modified(pl_request_t *request, const char *etag,
                                   pl_cache_policy_t cache);

#endif
