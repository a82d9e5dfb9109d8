#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static int64_t key_of_ipv4(const struct in_addr *address)
{
    return (int64_t)ntohl(address->s_addr);
}

static int64_t key_of_ipv6(const struct in6_addr *address)
{
    struct in_addr mapped;
    int64_t key;

    if (IN6_IS_ADDR_V4MAPPED(address)) {
        memcpy(&mapped, address->s6_addr + 12, sizeof(mapped));
        return key_of_ipv4(&mapped);
    }
    memcpy(&key, address->s6_addr, sizeof(key));
    return key | INT64_MIN; /* apart from the keys of IPv4 */
}

int64_t pl_address_key(const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr ipv4;
    struct in6_addr ipv6;

    if (len >= sizeof(copy))
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, &ipv4) == 1)
        return key_of_ipv4(&ipv4);
    return inet_pton(AF_INET6, copy, &ipv6) == 1 ? key_of_ipv6(&ipv6) : 0;
}

/* ---- of a client ---- */

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

static bool is_trusted(const pl_server_options_t *options, const char *address)
{
    const char *trusted = options->trusted_proxies;
    size_t len = strlen(address);

    if (!options->trusts_forwarded)
        return false;
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
static bool read_forwarded(h2o_iovec_t header, char address_r[PL_ADDRESS_SIZE])
{
    unsigned char parsed[sizeof(struct in6_addr)];
    char text[PL_ADDRESS_SIZE];
    size_t start = header.len;

    while (start > 0 && header.base[start - 1] != ',' && header.base[start - 1] != ' ')
        start--;
    if (header.len - start == 0 || header.len - start >= sizeof(text))
        return false;
    memcpy(text, header.base + start, header.len - start);
    text[header.len - start] = '\0';
    for (int family = AF_INET; inet_pton(family, text, parsed) != 1; family = AF_INET6)
        if (family == AF_INET6)
            return false;
    memcpy(address_r, text, sizeof(text));
    return true;
}

void pl_address_of(const h2o_req_t *req, const pl_server_options_t *options,
                   char address_r[PL_ADDRESS_SIZE])
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_X_FORWARDED_FOR, -1);

    format_peer(req, address_r);
    if (at >= 0 && is_trusted(options, address_r))
        (void)!read_forwarded(req->headers.entries[at].value, address_r);
}
