/*
 * What a request tells the producer of a response body that is written over time. The producer
 * embeds a pl_response_body_t with its callbacks, and sets it as the request's body when it starts
 * the response. From then on it owns the end of the response.
 */
#ifndef PL_HTTP_RESPONSE_BODY_H
#define PL_HTTP_RESPONSE_BODY_H

#include <stdbool.h>

typedef struct pl_response_body pl_response_body_t;

/* All run on the thread of the request's loop. on_disposed may run inside the send that ends the
 * response. None may be NULL. */
typedef struct pl_response_body_callbacks {
    /* libh2o has disposed of the request: the whole response was sent, or the client left. The last
     * callback; it may free the producer. */
    void (*on_disposed)(pl_response_body_t *body);
    /* The client has taken no bytes for the stall time, though bytes are in flight. */
    void (*on_stalled)(pl_response_body_t *body);
    /* The client of an HTTP/1 connection has closed it. */
    void (*on_hangup)(pl_response_body_t *body);
    /* The server's worker is being destroyed: the response must be cut off. */
    void (*on_shutdown)(pl_response_body_t *body);
    /* True if libh2o has no bytes in flight and was not told that nothing follows. Only then may a
     * further send end the response with an error. */
    bool (*is_idle)(const pl_response_body_t *body);
} pl_response_body_callbacks_t;

struct pl_response_body {
    const pl_response_body_callbacks_t *callbacks;
};

#endif
