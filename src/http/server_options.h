/* What a server is created with. */
#ifndef PL_HTTP_SERVER_OPTIONS_H
#define PL_HTTP_SERVER_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef struct pl_server_options {
    const char *name;    /* "api" or "admin": label of metrics and logs */
    const char *address; /* numeric */
    uint16_t port;       /* 0: any free one; see pl_server_port */
    unsigned workers;    /* how many pl_server_worker_create will follow; >= 1 */
    unsigned max_connections;
    unsigned max_requests_in_flight_per_connection;
    size_t max_request_body; /* bytes; above it 413 */
    size_t stream_queue;     /* bytes per stream */
    unsigned stream_stall_s;
    unsigned drain_timeout_s;
    const char *cookie_name; /* with the access token; NULL: cookies do not authenticate */
    /* Addresses whose X-Forwarded-For is believed besides loopback's, separated by spaces; NULL:
     * none. */
    const char *trusted_proxies;
    struct pl_endings *endings; /* tokens that are refused; NULL: none. Outlives the server */
} pl_server_options_t;

#endif
