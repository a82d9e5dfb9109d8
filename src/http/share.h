/* A request's part of what the process has for all (http/budget.h). */
#ifndef PL_HTTP_SHARE_H
#define PL_HTTP_SHARE_H

#include <stddef.h>

#include "base/compiler.h"
#include "http/request.h"
#include "http/share_limits.h"

/* Takes `count` (above 0) for a live request, once for each share; it is given back when libh2o
 * disposes of the request. -1: the user or the address has its part already, and the request was
 * answered with a 429. */
int pl_share_take(pl_request_t *request, pl_share_t share, size_t count) PL_MUST_USE;

#endif
