/* The API as a whole: its routes, metrics and drain. */
#ifndef PL_API_API_H
#define PL_API_API_H

#include "api/context.h"
#include "http/router.h"

/* On the loop's thread; lives as long as the loop, as `core` and `auth` do. Never NULL. */
pl_api_t *pl_api_create(pl_core_t *core, pl_auth_t *auth);

/* All operations of the OpenAPI document, except those that serve the document itself. */
void pl_api_add_routes(pl_router_t *router);

/* Ends all long-polls and streams for a shutdown: long-polls answer with what they have, streams
 * close after a `retry:` that spreads the clients' return. New ones are refused. */
void pl_api_drain(pl_api_t *api);

#endif
