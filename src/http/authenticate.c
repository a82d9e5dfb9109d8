/* Finds the caller: by a bearer token, or by the login's cookie if the request comes from our own
 * pages. */
#include "http/authenticate.h"

#include <string.h>

#include "auth/endings.h"
#include "auth/token.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/request_private.h"
#include "http/server_private.h"

static bool is_safe_method(const h2o_req_t *req)
{
    return h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
           h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
}

/* "https://host:port" without its scheme, which the edge terminates and this server cannot know. */
static pl_slice_t authority_of_origin(pl_slice_t origin)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (origin.len > len && memcmp(origin.data, schemes[i], len) == 0)
            return (pl_slice_t){origin.data + len, origin.len - len};
    }
    return (pl_slice_t){NULL, 0};
}

bool pl_request_is_same_origin(const pl_request_t *request)
{
    pl_slice_t site = pl_request_header(request, "sec-fetch-site");
    if (site.data != NULL)
        return pl_slice_is(site, "same-origin") || pl_slice_is(site, "none");
    pl_slice_t origin = authority_of_origin(pl_request_header(request, "origin"));
    h2o_iovec_t host = request->req->authority;
    return origin.data != NULL && origin.len == host.len &&
           strncasecmp(origin.data, host.base, host.len) == 0;
}

/* The token in Authorization; data NULL without that header, len 0 if it is of another kind. */
static pl_slice_t bearer_token(const pl_request_t *request)
{
    static const char scheme[] = "Bearer ";
    pl_slice_t header = pl_request_header(request, "authorization");
    if (header.data == NULL)
        return header;
    if (header.len < sizeof(scheme) || strncasecmp(header.data, scheme, sizeof(scheme) - 1) != 0)
        return (pl_slice_t){header.data, 0};
    size_t skip = sizeof(scheme) - 1;
    while (skip < header.len && header.data[skip] == ' ')
        skip++;
    return (pl_slice_t){header.data + skip, header.len - skip};
}

/* Refuses what has ended. -1: the request was answered. */
static int check_endings(pl_request_t *request)
{
    pl_endings_t *endings = request->worker->server->options.endings;
    enum pl_ended ended = endings != NULL ? pl_endings_check(endings, &request->claims)
                                          : PL_ENDED_NOT;

    if (ended == PL_ENDED_SESSION)
        pl_problem_reply(request, PL_PROBLEM_SESSION_ENDED,
                         "The token's session has ended. Log in again.");
    else if (ended == PL_ENDED_USER)
        pl_problem_reply(request, PL_PROBLEM_INVALID_TOKEN, "No user has the token's id.");
    return ended == PL_ENDED_NOT ? 0 : -1;
}

int pl_authenticate(pl_request_t *request, bool is_optional)
{
    const char *cookie_name = request->worker->server->options.cookie_name;
    pl_slice_t token = bearer_token(request);
    if (token.data == NULL && is_optional)
        return 0;
    if (token.data == NULL && cookie_name != NULL) {
        token = pl_request_cookie(request, cookie_name);
        if (token.data != NULL && !is_safe_method(request->req) &&
            !pl_request_is_same_origin(request)) {
            pl_problem_reply(request, PL_PROBLEM_CROSS_SITE_REQUEST,
                             "With a cookie the request must come from the same origin");
            return -1;
        }
    }
    if (token.data == NULL) {
        pl_problem_reply(request, PL_PROBLEM_UNAUTHENTICATED,
                         "Send Authorization: Bearer with an access token");
        return -1;
    }
    pl_error_t error;
    if (pl_token_verify(request->worker->auth, token.data, token.len, &request->claims, &error) !=
        0) {
        pl_problem_reply(request, PL_PROBLEM_INVALID_TOKEN, "%s", error.message);
        return -1;
    }
    if (check_endings(request) != 0)
        return -1;
    request->has_claims = true;
    return 0;
}
