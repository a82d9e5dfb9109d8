/*
 * What the API's handlers work with on one loop: handed to them as `worker`.
 *
 * A resource's file decodes the request, submits an operation to a lane and encodes the answer. All
 * that it keeps between requests (cached pages, ids known to exist) belongs to the loop and needs
 * no lock.
 *
 * Who acts: the token's `sub`, for reads and writes alike. A token with scope admin may besides
 * create users without a password and send as any user, whom `senderId` names; to read a user's
 * mailbox an integrator mints a token for that user.
 */
#ifndef PL_API_CONTEXT_H
#define PL_API_CONTEXT_H

#include "auth/password.h"
#include "auth/token.h"
#include "config/config.h"
#include "db/cluster.h"
#include "http/router.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/outbox.h"

struct pl_hub_local; /* src/push */
struct pl_page_cache;
struct pl_known_users;
struct pl_erased_users;
struct pl_user_checks;
struct pl_exports;
struct pl_reply_checks;
struct pl_typing_limit;
struct pl_receipt_writer;
struct pl_presence; /* src/push */

/* What the handlers need from the layers below. All of it outlives the context. */
typedef struct pl_api_deps {
    const pl_config_t *config;
    const pl_cluster_t *cluster;
    pl_settler_t *settler;                /* of this loop */
    pl_auth_t *auth;                      /* of this loop */
    pl_password_pool_t *passwords;        /* of the process; its post is pl_password_work_post */
    struct pl_hub_local *hub;             /* of this loop */
    struct pl_typing_limit *typing_limit; /* of the process */
    struct pl_receipt_writer *receipt_writer; /* of the process */
    struct pl_presence *presence;             /* of the process */
    struct pl_erased_users *erased_users;     /* of the process */
} pl_api_deps_t;

typedef struct pl_api {
    pl_loop_t *loop;
    pl_api_deps_t deps;
    struct pl_page_cache *cache;
    struct pl_known_users *known_users;
    pl_timer_t known_users_turn;
    struct pl_user_checks *user_checks;
    struct pl_exports *exports;
    struct pl_reply_checks *reply_checks;    /* of sends */
    struct pl_reply_checks *reaction_checks; /* of reactions, for which no send waits */
    struct pl_updates *updates;              /* src/api/updates.h */
    pl_timer_queue_t *copy_timeouts;         /* of [lanes] copy_deadline */
} pl_api_t;

/* On the loop's thread. Never NULL. */
pl_api_t *pl_api_create(pl_loop_t *loop, const pl_api_deps_t *deps);

/* Registers what the API counts; once, before any context is created. */
void pl_api_metrics_init(void);

/* Adds the routes of all resources but the updates, which src/api/updates.h adds. */
void pl_api_add_routes(pl_router_t *router);

extern const pl_route_t pl_api_me_routes[];
extern const size_t pl_api_me_routes_count;
extern const pl_route_t pl_api_export_routes[];
extern const size_t pl_api_export_routes_count;
extern const pl_route_t pl_api_users_routes[];
extern const size_t pl_api_users_routes_count;
extern const pl_route_t pl_api_sessions_routes[];
extern const size_t pl_api_sessions_routes_count;
extern const pl_route_t pl_api_messages_routes[];
extern const size_t pl_api_messages_routes_count;
extern const pl_route_t pl_api_message_changes_routes[];
extern const size_t pl_api_message_changes_routes_count;
extern const pl_route_t pl_api_groups_routes[];
extern const size_t pl_api_groups_routes_count;
extern const pl_route_t pl_api_conversations_routes[];
extern const size_t pl_api_conversations_routes_count;
extern const pl_route_t pl_api_conversation_changes_routes[];
extern const size_t pl_api_conversation_changes_routes_count;
extern const pl_route_t pl_api_blocks_routes[];
extern const size_t pl_api_blocks_routes_count;
extern const pl_route_t pl_api_receipts_routes[];
extern const size_t pl_api_receipts_routes_count;
extern const pl_route_t pl_api_typing_routes[];
extern const size_t pl_api_typing_routes_count;
extern const pl_route_t pl_api_presence_routes[];
extern const size_t pl_api_presence_routes_count;

/* When an operation that begins now must end, for pl_op_t.deadline_ms. */
uint64_t pl_api_deadline_ms(const pl_api_t *api);

/* The caller's id, if it can be one of this system's users. Else 0, and the request was answered
 * with a 401: tokens are minted elsewhere too, and a shard that is not there cannot be asked. */
int64_t pl_api_caller(const pl_api_t *api, pl_request_t *request) PL_MUST_USE;

/* The peer of user_id in the conversation that `conversation_id` names: the other one of a 1:1 that
 * the user takes part in, or a group, be the user a member or not; else 0. */
int64_t pl_api_peer_of(pl_slice_t conversation_id, int64_t user_id);

/* 404: there is no such conversation, or the caller takes no part in it. */
void pl_api_reply_no_conversation(pl_request_t *request);

/* 401: the token is good, but nobody has its user id. */
void pl_api_reply_no_caller(pl_request_t *request);

/* For an operation that a lane did not take. */
void pl_api_reply_overloaded(pl_request_t *request);
void pl_api_reply_shutting_down(pl_request_t *request);

/* For what failed below, a check of a user say. */
void pl_api_reply_error(pl_request_t *request, enum pl_error_code code);

/* For an operation that ended with an error. Logs what the database refused. */
void pl_api_reply_failure(pl_request_t *request, const pl_op_t *op);

#endif
