#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

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
    return key;
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

static int64_t key_of_peer(h2o_conn_t *conn)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};

    if (conn->callbacks->get_peername(conn, (struct sockaddr *)&address) == 0)
        return 0;
    if (address.ss_family == AF_INET)
        return key_of_ipv4(&((struct sockaddr_in *)&address)->sin_addr);
    if (address.ss_family == AF_INET6)
        return key_of_ipv6(&((struct sockaddr_in6 *)&address)->sin6_addr);
    return 0;
}

int64_t pl_address_of(h2o_req_t *req, bool trusts_forwarded)
{
    ssize_t at = trusts_forwarded ? h2o_find_header(&req->headers, H2O_TOKEN_X_FORWARDED_FOR, -1)
                                  : -1;
    int64_t key = 0;

    if (at >= 0) {
        h2o_iovec_t value = req->headers.entries[at].value;
        key = pl_address_key(value.base, value.len);
    }
    return key != 0 ? key : key_of_peer(req->conn);
}
