/* What the client sent: path parameters, headers, cookies, body; and its address. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
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

static void format_peer(const h2o_req_t *req, char address_r[PL_ADDRESS_SIZE])
{
    struct sockaddr_storage peer;
    const void *address = NULL;

    address_r[0] = '\0';
    if (req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&peer) == 0)
        return;
    if (peer.ss_family == AF_INET)
        address = &((const struct sockaddr_in *)&peer)->sin_addr;
    else if (peer.ss_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
    if (address == NULL || inet_ntop(peer.ss_family, address, address_r, PL_ADDRESS_SIZE) == NULL)
        address_r[0] = '\0';
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static bool is_trusted(const pl_request_t *request, const char *address)
{
    const char *trusted = request->worker->server->options.trusted_proxies;
    size_t len = strlen(address);

    if (is_loopback(address))
        return true;
    while (trusted != NULL && *trusted != '\0') {
        size_t word = strcspn(trusted, " ");
        if (word == len && memcmp(trusted, address, len) == 0)
            return true;
        trusted += word;
        trusted += strspn(trusted, " ");
    }
    return false;
}

/* The last entry is the one that the trusted edge has added. False: it is no address. */
static bool read_forwarded(pl_slice_t header, char address_r[PL_ADDRESS_SIZE])
{
    unsigned char parsed[sizeof(struct in6_addr)];
    char text[PL_ADDRESS_SIZE];
    size_t start = header.len;

    while (start > 0 && header.data[start - 1] != ',' && header.data[start - 1] != ' ')
        start--;
    if (header.len - start == 0 || header.len - start >= sizeof(text))
        return false;
    memcpy(text, header.data + start, header.len - start);
    text[header.len - start] = '\0';
    for (int family = AF_INET; inet_pton(family, text, parsed) != 1; family = AF_INET6)
        if (family == AF_INET6)
            return false;
    memcpy(address_r, text, sizeof(text));
    return true;
}

void pl_request_client_address(const pl_request_t *request, char address_r[PL_ADDRESS_SIZE])
{
    assert(request->state == PL_REQUEST_LIVE);
    format_peer(request->req, address_r);
    if (is_trusted(request, address_r))
        (void)!read_forwarded(pl_request_header(request, "x-forwarded-for"), address_r);
}
