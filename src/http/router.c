#include "http/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/authenticate.h"
#include "http/budget.h"
#include "http/connection.h"
#include "http/decode.h"
#include "http/measure.h"
#include "http/problem.h"
#include "http/request_private.h"
#include "http/server_private.h"

/* Path segments; a longer path matches nothing. */
#define MAX_SEGMENTS 8
/* Header fields and their bytes with the path: HTTP/2 has no bound of its own on what the fields
 * unpack to. */
#define MAX_HEADERS 100
#define MAX_HEADER_BYTES 32768

/* A route with its pattern taken apart. */
typedef struct entry {
    const pl_route_t *route;
    size_t segments_count;
    pl_slice_t segments[MAX_SEGMENTS]; /* data NULL: a parameter */
    pl_measure_route_t measure;
} entry_t;

struct pl_router {
    entry_t *entries;
    size_t count;
    pl_measure_route_t none; /* counts the requests that match no route */
};

pl_router_t *pl_router_create(void)
{
    pl_router_t *router = pl_calloc(1, sizeof(*router));
    pl_measure_init();
    pl_measure_route_init(&router->none, "none");
    return router;
}

void pl_router_destroy(pl_router_t **router)
{
    if (*router == NULL)
        return;
    free((*router)->entries);
    free(*router);
    *router = NULL;
}

/* "/a/b" has the segments "a" and "b". The number of segments; MAX_SEGMENTS + 1 if there are
 * more. */
static size_t split(const char *path, size_t len, pl_slice_t segments[MAX_SEGMENTS])
{
    size_t count = 0;
    const char *at = path, *end = path + len;
    while (at < end && *at == '/') {
        const char *start = at + 1;
        const char *slash = memchr(start, '/', (size_t)(end - start));
        at = slash != NULL ? slash : end;
        if (count == MAX_SEGMENTS)
            return MAX_SEGMENTS + 1;
        segments[count++] = (pl_slice_t){start, (size_t)(at - start)};
    }
    return count;
}

void pl_router_add(pl_router_t *router, const pl_route_t *routes, size_t count)
{
    router->entries = pl_reallocarray(router->entries, router->count + count,
                                      sizeof(*router->entries));
    for (size_t i = 0; i < count; i++) {
        entry_t *entry = &router->entries[router->count++];
        size_t parameters = 0;
        *entry = (entry_t){.route = &routes[i]};
        assert(routes[i].pattern[0] == '/');
        entry->segments_count = split(routes[i].pattern, strlen(routes[i].pattern),
                                      entry->segments);
        assert(entry->segments_count <= MAX_SEGMENTS);
        for (size_t n = 0; n < entry->segments_count; n++) {
            if (entry->segments[n].len == 0 || entry->segments[n].data[0] != '{')
                continue;
            entry->segments[n] = (pl_slice_t){NULL, 0};
            parameters++;
        }
        assert(parameters <= PL_REQUEST_MAX_PARAMETERS);
        pl_measure_route_init(&entry->measure, routes[i].operation);
    }
}

/* Splits first and decodes then, so that %2F is a character of its segment. -1 for a bad escape. */
static int split_and_decode(h2o_req_t *req, pl_slice_t segments[MAX_SEGMENTS], size_t *count_r)
{
    size_t len = req->query_at != SIZE_MAX ? req->query_at : req->path.len;
    *count_r = split(req->path.base, len, segments);
    if (*count_r > MAX_SEGMENTS || memchr(req->path.base, '%', len) == NULL)
        return 0;
    for (size_t i = 0; i < *count_r; i++) {
        char *decoded = h2o_mem_alloc_pool(&req->pool, segments[i].len + 1);
        ssize_t decoded_len = pl_decode_path(segments[i].data, segments[i].len, decoded);
        if (decoded_len < 0)
            return -1;
        segments[i] = (pl_slice_t){decoded, (size_t)decoded_len};
    }
    return 0;
}

static bool path_matches(const entry_t *entry, const pl_slice_t *segments, size_t count)
{
    if (entry->segments_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const pl_slice_t *want = &entry->segments[i];
        if (want->data == NULL ? segments[i].len == 0
                               : want->len != segments[i].len ||
                                     memcmp(want->data, segments[i].data, want->len) != 0)
            return false;
    }
    return true;
}

static bool method_matches(const pl_route_t *route, const pl_request_t *request)
{
    const h2o_req_t *req = request->req;
    if (request->is_head)
        return strcmp(route->method, "GET") == 0 && !(route->flags & PL_ROUTE_NO_HEAD);
    return h2o_memis(req->method.base, req->method.len, route->method, strlen(route->method));
}

static void add_allowed(char *allow, size_t size, const pl_route_t *route)
{
    size_t len = strlen(allow);
    bool has_head = strcmp(route->method, "GET") == 0 && !(route->flags & PL_ROUTE_NO_HEAD);
    snprintf(allow + len, size - len, "%s%s%s", len > 0 ? ", " : "", route->method,
             has_head ? ", HEAD" : "");
}

/* The route for the path and the method, with the request's parameters; NULL if there is none.
 * `allow` gets the methods that the path has. */
static const entry_t *match(const pl_router_t *router, pl_request_t *request,
                            const pl_slice_t *segments, size_t count, char *allow,
                            size_t allow_size)
{
    const char *pattern = NULL;
    for (size_t i = 0; i < router->count; i++) {
        const entry_t *entry = &router->entries[i];
        if (!path_matches(entry, segments, count) ||
            (pattern != NULL && strcmp(pattern, entry->route->pattern) != 0))
            continue;
        pattern = entry->route->pattern;
        if (!method_matches(entry->route, request)) {
            add_allowed(allow, allow_size, entry->route);
            continue;
        }
        for (size_t n = 0, parameter = 0; n < count; n++)
            if (entry->segments[n].data == NULL)
                request->parameters[parameter++] = segments[n];
        return entry;
    }
    return NULL;
}

/*
 * Whether the path has a trailing slash that a redirect may remove. Not for DELETE: a client that
 * leaves an id empty (DELETE /v1/things/) means one thing, and the path without the slash may mean
 * all of them.
 */
static bool has_trailing_slash(const pl_request_t *request, const pl_slice_t *segments,
                               size_t count)
{
    return count > 1 && count <= MAX_SEGMENTS && segments[count - 1].len == 0 &&
           segments[count - 2].len > 0 &&
           !h2o_memis(request->req->method.base, request->req->method.len, H2O_STRLIT("DELETE"));
}

/* To the same path without its last slash. It has matched a route, so it leads to no other host. */
static void redirect(pl_request_t *request)
{
    const h2o_req_t *req = request->req;
    size_t path_len = req->query_at != SIZE_MAX ? req->query_at : req->path.len;
    if (!pl_ascii_is_printable(req->path.base, req->path.len)) {
        pl_problem_reply(request, PL_PROBLEM_NOT_FOUND, "There is no such path");
        return;
    }
    pl_buffer_t location = PL_BUFFER_EMPTY;
    pl_buffer_append(&location, req->path.base, path_len - 1);
    pl_buffer_append(&location, req->path.base + path_len, req->path.len - path_len);
    pl_reply_t reply = {.status = 308, .location = pl_buffer_terminate(&location)};
    pl_request_reply(request, &reply, NULL);
    pl_buffer_dispose(&location);
}

/* The route for the request, with its parameters; NULL after an answer from here. */
static const entry_t *find_route(const pl_router_t *router, pl_request_t *request)
{
    pl_slice_t segments[MAX_SEGMENTS] = {{0}};
    size_t count;
    char allow[128] = "";
    if (split_and_decode(request->req, segments, &count) != 0) {
        pl_problem_reply(request, PL_PROBLEM_MALFORMED_REQUEST, "The path has a bad escape");
        return NULL;
    }
    bool must_redirect = has_trailing_slash(request, segments, count);
    const entry_t *entry = match(router, request, segments, count - must_redirect, allow,
                                 sizeof(allow));
    if (entry != NULL && !must_redirect)
        return entry;
    if (entry != NULL)
        redirect(request);
    else if (allow[0] != '\0')
        pl_problem_reply_with(request, PL_PROBLEM_METHOD_NOT_ALLOWED, &(pl_reply_t){.allow = allow},
                              "Allowed: %s", allow);
    else
        pl_problem_reply(request, PL_PROBLEM_NOT_FOUND, "There is no such path");
    return NULL;
}

static int check_headers(pl_request_t *request)
{
    const h2o_req_t *req = request->req;
    size_t bytes = req->path.len;
    for (size_t i = 0; i < req->headers.size; i++)
        bytes += req->headers.entries[i].name->len + req->headers.entries[i].value.len;
    if (req->headers.size <= MAX_HEADERS && bytes <= MAX_HEADER_BYTES)
        return 0;
    pl_problem_reply(request, PL_PROBLEM_HEADERS_TOO_LARGE,
                     "At most %d header fields and %d bytes with the path", MAX_HEADERS,
                     MAX_HEADER_BYTES);
    return -1;
}

static bool is_json(pl_slice_t type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;
    return type.len >= len && h2o_lcstris(type.data, len, json, len) &&
           (type.len == len || type.data[len] == ';' || type.data[len] == ' ');
}

static int authenticate(pl_request_t *request, unsigned flags)
{
    return flags & PL_ROUTE_PUBLIC
               ? 0
               : pl_authenticate(request, (flags & PL_ROUTE_OPTIONAL_AUTH) != 0);
}

static int enter_budget(pl_request_t *request)
{
    pl_limit_t limit = pl_budget_enter(request);
    if (limit == PL_LIMIT_NONE)
        return 0;
    pl_problem_reply_limit(request, limit);
    return -1;
}

static int check_body(pl_request_t *request, unsigned flags)
{
    size_t len = request->req->entity.len;
    size_t max = request->worker->server->options.max_request_body;
    if (len > max) {
        pl_problem_reply(request, PL_PROBLEM_BODY_TOO_LARGE, "A body has at most %zu bytes", max);
        return -1;
    }
    if (!(flags & PL_ROUTE_BODY)) {
        if (len == 0)
            return 0;
        pl_problem_reply(request, PL_PROBLEM_MALFORMED_REQUEST, "This operation has no body");
        return -1;
    }
    if (len == 0 && (flags & PL_ROUTE_OPTIONAL_BODY))
        return 0;
    if (!is_json(pl_request_header(request, "content-type"))) {
        pl_problem_reply(request, PL_PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                         "Send the body as application/json");
        return -1;
    }
    return 0;
}

void pl_router_dispatch(const pl_router_t *router, pl_request_t *request)
{
    request->route = &router->none;
    if (!pl_connection_enter(request->connection, request->req)) {
        pl_problem_reply(request, PL_PROBLEM_TOO_MANY_REQUESTS,
                         "Too many requests of this connection are in flight");
        return;
    }
    if (check_headers(request) != 0)
        return;
    const entry_t *entry = find_route(router, request);
    if (entry == NULL)
        return;
    request->route = &entry->measure;
    if (authenticate(request, entry->route->flags) != 0 || enter_budget(request) != 0 ||
        check_body(request, entry->route->flags) != 0)
        return;
    pl_request_ref(request);
    entry->route->handler(request, request->worker->context);
    if (pl_request_is_live(request) && request->refs == 2) {
        /* Only libh2o's side and this function still have a reference, so no answer can come any
         * more. This is a programmer's error, but the client must not wait for ever because of
         * it. */
        pl_log_error("handler-did-not-answer", PL_S("operation", entry->route->operation));
        pl_problem_reply(request, PL_PROBLEM_INTERNAL_ERROR, "The operation gave no answer");
    }
    pl_request_unref(&request);
}
