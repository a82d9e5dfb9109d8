#include "api/context.h"

#include <stdlib.h>

#include "api/cache.h"
#include "api/export.h"
#include "api/known_users.h"
#include "api/messages.h"
#include "api/receipt_writer.h"
#include "api/reply_check.h"
#include "api/typing.h"
#include "api/user_check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/problem.h"

/* Users who are active on one worker in a turn of the set; 1 MiB a turn, of which there are two.
 * One who is forgotten costs one more read of a version. */
#define KNOWN_USERS 131072
/* Who was erased by another server is known for up to two turns. A user who sends all the time
 * costs a read of a version in each: with turns of 30 s and 20,000 such users a send cost
 * PostgreSQL a seventh more. */
#define KNOWN_USERS_TURN_MS 300000

static void on_turn(pl_timer_t *timer)
{
    pl_api_t *api = H2O_STRUCT_FROM_MEMBER(pl_api_t, known_users_turn, timer);

    pl_timer_arm(pl_timer_queue(api->loop, KNOWN_USERS_TURN_MS), timer);
    pl_known_users_turn(api->known_users);
}

static pl_reply_checks_t *create_reply_checks(const pl_api_t *api)
{
    const pl_config_t *config = api->deps.config;

    return pl_reply_checks_create(api->deps.cluster, api->copy_timeouts,
                                  config->lanes.request_deadline_s,
                                  (size_t)config->lanes.queue_size);
}

pl_api_t *pl_api_create(pl_loop_t *loop, const pl_api_deps_t *deps)
{
    const pl_config_t *config = deps->config;
    pl_api_t *api = pl_calloc(1, sizeof(*api));

    api->loop = loop;
    api->deps = *deps;
    api->cache = pl_page_cache_create((size_t)config->cache.size);
    api->known_users = pl_known_users_create(KNOWN_USERS, deps->erased_users);
    api->known_users_turn.on_fire = on_turn;
    pl_timer_arm(pl_timer_queue(loop, KNOWN_USERS_TURN_MS), &api->known_users_turn);
    api->user_checks = pl_user_checks_create(deps->cluster, api->known_users,
                                             config->lanes.request_deadline_s,
                                             (size_t)config->lanes.queue_size);
    api->exports = pl_exports_create();
    api->copy_timeouts = pl_timer_queue(loop, (uint64_t)config->lanes.copy_deadline_s * 1000);
    pl_receipt_writer_join(deps->receipt_writer, api);
    api->reply_checks = create_reply_checks(api);
    api->reaction_checks = create_reply_checks(api);
    return api;
}

void pl_api_metrics_init(void)
{
    pl_page_cache_metrics_init();
    pl_messages_metrics_init();
    pl_typing_metrics_init();
    pl_receipt_writer_metrics_init();
}

void pl_api_add_routes(pl_router_t *router)
{
    /* Before the users', of whom none is named "me". */
    pl_router_add(router, pl_api_me_routes, pl_api_me_routes_count);
    pl_router_add(router, pl_api_export_routes, pl_api_export_routes_count);
    pl_router_add(router, pl_api_users_routes, pl_api_users_routes_count);
    pl_router_add(router, pl_api_sessions_routes, pl_api_sessions_routes_count);
    pl_router_add(router, pl_api_messages_routes, pl_api_messages_routes_count);
    pl_router_add(router, pl_api_message_changes_routes, pl_api_message_changes_routes_count);
    pl_router_add(router, pl_api_groups_routes, pl_api_groups_routes_count);
    pl_router_add(router, pl_api_conversations_routes, pl_api_conversations_routes_count);
    pl_router_add(router, pl_api_conversation_changes_routes,
                  pl_api_conversation_changes_routes_count);
    pl_router_add(router, pl_api_blocks_routes, pl_api_blocks_routes_count);
    pl_router_add(router, pl_api_receipts_routes, pl_api_receipts_routes_count);
    pl_router_add(router, pl_api_typing_routes, pl_api_typing_routes_count);
    pl_router_add(router, pl_api_presence_routes, pl_api_presence_routes_count);
}

uint64_t pl_api_deadline_ms(const pl_api_t *api)
{
    return (uint64_t)(pl_clock_monotonic_ms() + api->deps.config->lanes.request_deadline_s * 1000);
}

int64_t pl_api_caller(const pl_api_t *api, pl_request_t *request)
{
    int64_t user_id = pl_request_claims(request)->user_id;

    if (!pl_cluster_has(api->deps.cluster, user_id) || pl_id_is_group(user_id)) {
        pl_api_reply_no_caller(request);
        return 0;
    }
    return user_id;
}

int64_t pl_api_peer_of(pl_slice_t conversation_id, int64_t user_id)
{
    int64_t low, high;

    switch (pl_conversation_id_parse(conversation_id.data, conversation_id.len, &low, &high)) {
    case 1:
        return low == user_id ? high : high == user_id ? low : 0;
    case 2:
        return low;
    default:
        return 0;
    }
}

void pl_api_reply_no_conversation(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_CONVERSATION_NOT_FOUND,
                     "The caller takes no part in such a conversation.");
}

void pl_api_reply_no_caller(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_INVALID_TOKEN, "No user has the token's id.");
}

void pl_api_reply_overloaded(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_OVERLOADED, "A queue is full. Nothing has changed.");
}

void pl_api_reply_shutting_down(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_SHUTTING_DOWN, "The server is shutting down.");
}

void pl_api_reply_error(pl_request_t *request, enum pl_error_code code)
{
    pl_error_t error;

    pl_error_set(&error, code, "%s", pl_request_operation(request));
    pl_problem_reply_error(request, &error);
}

void pl_api_reply_failure(pl_request_t *request, const pl_op_t *op)
{
    if (op->error == PL_ERROR_SQL) {
        pl_log_error("operation-failed", PL_S("requestId", pl_request_id(request)),
                     PL_S("operation", pl_request_operation(request)),
                     PL_S("statement", op->kind->name), PL_S("sqlstate", op->sqlstate));
    }
    pl_api_reply_error(request, op->error);
}
