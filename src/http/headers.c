/* What the client sent: path parameters, headers, cookies, body; and its address. */
#include <assert.h>
#include <string.h>

#include "http/request.h"
#include "http/request_private.h"
#include "http/server_private.h"

static pl_slice_t slice_of(h2o_iovec_t vector)
{
    return (pl_slice_t){vector.base, vector.len};
}

pl_slice_t pl_request_path_parameter(const pl_request_t *request, size_t n)
{
    assert(request->state == PL_REQUEST_LIVE && n < PL_REQUEST_MAX_PARAMETERS);
    return request->parameters[n];
}

pl_slice_t pl_request_header(const pl_request_t *request, const char *name)
{
    assert(request->state == PL_REQUEST_LIVE);
    const h2o_headers_t *headers = &request->req->headers;
    ssize_t at = h2o_find_header_by_str(headers, name, strlen(name), -1);
    return at >= 0 ? slice_of(headers->entries[at].value) : (pl_slice_t){NULL, 0};
}

/* The value of `name` in one Cookie header: pairs separated by "; ". */
static pl_slice_t find_cookie(pl_slice_t header, const char *name, size_t name_len)
{
    const char *at = header.data, *end = header.data + header.len;
    while (at < end) {
        const char *semicolon = memchr(at, ';', (size_t)(end - at));
        const char *pair_end = semicolon != NULL ? semicolon : end;
        while (at < pair_end && *at == ' ')
            at++;
        if ((size_t)(pair_end - at) > name_len && at[name_len] == '=' &&
            memcmp(at, name, name_len) == 0) {
            at += name_len + 1;
            return (pl_slice_t){at, (size_t)(pair_end - at)};
        }
        at = pair_end + 1;
    }
    return (pl_slice_t){NULL, 0};
}

/* HTTP/2 may split the cookies over several headers. */
pl_slice_t pl_request_cookie(const pl_request_t *request, const char *name)
{
    assert(request->state == PL_REQUEST_LIVE);
    const h2o_headers_t *headers = &request->req->headers;
    size_t name_len = strlen(name);
    for (ssize_t at = -1; (at = h2o_find_header(headers, H2O_TOKEN_COOKIE, at)) >= 0;) {
        pl_slice_t value = find_cookie(slice_of(headers->entries[at].value), name, name_len);
        if (value.data != NULL)
            return value;
    }
    return (pl_slice_t){NULL, 0};
}

void pl_request_wipe_body(pl_request_t *request)
{
    assert(request->state == PL_REQUEST_LIVE);
    if (request->req->entity.base != NULL)
        explicit_bzero(request->req->entity.base, request->req->entity.len);
}

pl_slice_t pl_request_body(const pl_request_t *request)
{
    assert(request->state == PL_REQUEST_LIVE);
    return slice_of(request->req->entity);
}

bool pl_request_has_etag(const pl_request_t *request, const char *etag)
{
    pl_slice_t header = pl_request_header(request, "if-none-match");
    size_t etag_len = strlen(etag);
    const char *at = header.data, *end = header.data + header.len;
    if (pl_slice_is(header, "*"))
        return true;
    while (at < end) {
        while (at < end && (*at == ' ' || *at == ',' || *at == '\t'))
            at++;
        if (end - at > 2 && at[0] == 'W' && at[1] == '/')
            at += 2;
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *tag_end = comma != NULL ? comma : end;
        size_t len = (size_t)(tag_end - at);
        while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
            len--;
        if (len == etag_len && memcmp(at, etag, len) == 0)
            return true;
        at = tag_end;
    }
    return false;
}

/* ---- the client's address ---- */

void pl_request_client_address(const pl_request_t *request, char address_r[PL_ADDRESS_SIZE])
{
    assert(request->state == PL_REQUEST_LIVE);
    pl_address_of(request->req, &request->worker->server->options, address_r);
}
