#include "http/budget.h"

#include <assert.h>
#include <string.h>

#include "http/address.h"
#include "http/connection.h"
#include "http/measure.h"
#include "http/request_private.h"
#include "http/server_private.h"

static const pl_server_options_t *options_of(const pl_request_t *request)
{
    return &request->worker->server->options;
}

/* ---- requests in flight ---- */

pl_limit_t pl_budget_enter(pl_request_t *request)
{
    const pl_token_claims_t *claims = &request->claims;

    assert(!request->is_counted);
    if (!request->has_claims || claims->admin)
        return PL_LIMIT_NONE;
    if (pl_tally_add(request->worker->user_requests, claims->user_id, 1,
                     options_of(request)->max_requests_in_flight_per_user) != 0)
        return PL_LIMIT_USER_REQUESTS;
    request->is_counted = true;
    return PL_LIMIT_NONE;
}

void pl_budget_leave(pl_request_t *request)
{
    if (request->is_counted)
        pl_tally_subtract(request->worker->user_requests, request->claims.user_id, 1);
}

/* ---- bytes of answers ---- */

pl_limit_t pl_budget_hold(pl_request_t *request, size_t len)
{
    const pl_server_options_t *options = options_of(request);
    pl_server_t *server = request->worker->server;

    assert(request->unsent == 0);
    if (pl_connection_unsent(request->connection) + len > options->max_unsent_per_connection)
        return PL_LIMIT_CONNECTION_UNSENT;
    if (atomic_load_explicit(&server->unsent, memory_order_relaxed) + len > options->max_unsent)
        return PL_LIMIT_PROCESS_UNSENT;
    if (request->is_counted && pl_tally_add(request->worker->user_unsent, request->claims.user_id,
                                            len, options->max_unsent_per_user) != 0)
        return PL_LIMIT_USER_UNSENT;
    request->unsent = len;
    pl_connection_add_unsent(request->connection, len);
    atomic_fetch_add_explicit(&server->unsent, len, memory_order_relaxed);
    pl_measure_unsent((int64_t)len);
    return PL_LIMIT_NONE;
}

void pl_budget_release(pl_request_t *request)
{
    size_t len = request->unsent;

    if (len == 0)
        return;
    request->unsent = 0;
    if (request->is_counted)
        pl_tally_subtract(request->worker->user_unsent, request->claims.user_id, len);
    pl_connection_release_unsent(request->connection, len);
    atomic_fetch_sub_explicit(&request->worker->server->unsent, len, memory_order_relaxed);
    pl_measure_unsent(-(int64_t)len);
}

/* ---- shares ---- */

pl_limit_t pl_budget_take_share(pl_request_t *request, pl_share_t share, size_t count)
{
    const pl_share_limits_t *limits = &options_of(request)->shares[share];
    pl_tally_t *of_user = request->worker->user_shares[share];
    int64_t user_id = request->claims.user_id;
    char address[PL_ADDRESS_SIZE];

    assert(count > 0 && request->shares[share] == 0);
    if (!request->is_counted)
        return PL_LIMIT_NONE;
    pl_address_of(request->req, options_of(request), address);
    request->share_key = pl_address_key(address, strlen(address));
    if (pl_tally_add(of_user, user_id, count, limits->per_user) != 0)
        return PL_LIMIT_USER_SHARE;
    if (pl_tally_add(request->worker->address_shares[share], request->share_key, count,
                     limits->per_address) != 0) {
        pl_tally_subtract(of_user, user_id, count);
        return PL_LIMIT_ADDRESS_SHARE;
    }
    request->shares[share] = count;
    return PL_LIMIT_NONE;
}

void pl_budget_return_shares(pl_request_t *request)
{
    for (size_t i = 0; i < PL_SHARES; i++) {
        size_t count = request->shares[i];
        if (count == 0)
            continue;
        request->shares[i] = 0;
        pl_tally_subtract(request->worker->user_shares[i], request->claims.user_id, count);
        pl_tally_subtract(request->worker->address_shares[i], request->share_key, count);
    }
}
