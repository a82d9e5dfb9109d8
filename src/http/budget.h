/*
 * What one user, one connection and the process may take: requests in flight, and bytes of answers
 * that libh2o has not sent yet.
 *
 * A client that asks for much and reads little would else fill the memory with its answers: a
 * connection has 100 streams at once, and a page has up to 1 MB. An answer that would go over a
 * budget is not sent: its memory is released at once, and the request gets 429 (user, connection)
 * or 503 (process), both with Retry-After. Small answers are not counted, since the number of
 * requests bounds them.
 *
 * What the process has for all (places for waiting clients, watched users, exports) is shared: a
 * user and an address may have a part of it, so that a few accounts or one machine cannot take all.
 *
 * Everything but the bytes of the process is counted on each loop by itself. Requests of a token
 * with scope admin count for no user and no address. All functions are for the thread of the
 * request's loop.
 */
#ifndef PL_HTTP_BUDGET_H
#define PL_HTTP_BUDGET_H

#include <stddef.h>

#include "base/compiler.h"
#include "http/limit.h"
#include "http/share_limits.h"

struct pl_request;

/* A body that is not larger is not counted. */
#define PL_BUDGET_FREE_BYTES 16384

/* A request of a known caller begins. PL_LIMIT_NONE, or the limit for which it must be refused. */
pl_limit_t pl_budget_enter(struct pl_request *request) PL_MUST_USE;
/* Its work is done. Does nothing if pl_budget_enter has not counted it. */
void pl_budget_leave(struct pl_request *request);

/* The request is about to be answered with that many bytes, which are in memory until libh2o has
 * sent them. PL_LIMIT_NONE, or the limit for which it must be refused. */
pl_limit_t pl_budget_hold(struct pl_request *request, size_t len) PL_MUST_USE;
/* The bytes are sent, or no longer needed. Does nothing if none are held. */
void pl_budget_release(struct pl_request *request);

/* Takes `count` (above 0) of what the process has for all, once for each request and share. Only
 * while the request is live. PL_LIMIT_NONE, or the limit for which the request must be refused. */
pl_limit_t pl_budget_take_share(struct pl_request *request, pl_share_t share,
                                size_t count) PL_MUST_USE;
/* Gives back what the request has taken. */
void pl_budget_return_shares(struct pl_request *request);

#endif
