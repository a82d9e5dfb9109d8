/* What a server is created with. */
#ifndef PL_HTTP_SERVER_OPTIONS_H
#define PL_HTTP_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/share_limits.h"

typedef struct pl_server_options {
    const char *name;    /* "api" or "admin": label of metrics and logs */
    const char *address; /* numeric */
    uint16_t port;       /* 0: any free one; see pl_server_port */
    unsigned workers;    /* how many pl_server_worker_create will follow; >= 1 */
    unsigned max_connections;
    unsigned max_requests_in_flight_per_connection;
    unsigned max_requests_in_flight_per_user; /* on one worker */
    /* Bytes of large answers that are not sent yet (http/budget.h): of one user on one worker, of
     * one connection, and of all. */
    size_t max_unsent_per_user;
    size_t max_unsent_per_connection;
    size_t max_unsent;
    pl_share_limits_t shares[PL_SHARES];
    bool trusts_forwarded;   /* X-Forwarded-For says whose address a request comes from */
    size_t max_request_body; /* bytes; above it 413 */
    size_t stream_queue;     /* bytes per stream */
    unsigned stream_stall_s;
    unsigned drain_timeout_s;
    const char *cookie_name; /* with the access token; NULL: cookies do not authenticate */
    /* Addresses whose X-Forwarded-For is accepted besides loopback's, separated by spaces; NULL:
     * none. */
    const char *trusted_proxies;
    struct pl_endings *endings; /* tokens that are refused; NULL: none. Outlives the server */
} pl_server_options_t;

#endif
