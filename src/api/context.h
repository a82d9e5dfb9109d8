/*
 * The context of the API's handlers on one loop: they get it as `worker`.
 *
 * A handler decodes its request, makes the call of the core, and encodes the result. The request is
 * the owner of the call: it is referenced until the callback has answered it.
 *
 * The acting user is the token's `sub`, for reads and writes. A token with scope admin may also
 * create users without a password and send as any user, whom `senderId` names. To read a user's
 * mailbox an integrator mints a token for that user.
 */
#ifndef PL_API_CONTEXT_H
#define PL_API_CONTEXT_H

#include "auth/token.h"
#include "config/config.h"
#include "core/core.h"
#include "core/flow.h"
#include "core/outcome.h"
#include "http/request.h"
#include "loop/loop.h"

struct pl_exports;
struct pl_updates;

typedef struct pl_api {
    pl_loop_t *loop;
    const pl_config_t *config;
    pl_core_t *core;
    pl_auth_t *auth;
    struct pl_exports *exports;
    struct pl_updates *updates;
} pl_api_t;

/* ---- what the request names ---- */

/* The caller's id, if it can be an id of this system's users. Else 0, and the request was answered
 * with a 401: tokens are minted elsewhere too, and an unknown shard cannot be read. */
int64_t pl_api_caller(const pl_api_t *api, pl_request_t *request) PL_MUST_USE;

/* The peer of user_id in the conversation that `conversation_id` names: the other user of a 1:1 in
 * which user_id takes part, or a group, whether or not user_id is a member; else 0. */
int64_t pl_api_peer_of(pl_slice_t conversation_id, int64_t user_id);

/* The caller and the peer of the conversation in the path, for an operation without parameters in
 * the query. False: the request is answered. */
bool pl_api_decode_conversation(const pl_api_t *api, pl_request_t *request, int64_t *caller_id_r,
                                int64_t *peer_id_r) PL_MUST_USE;

/* ---- the call ---- */

/* Abandons the flow when the client leaves before an answer. For a flow that ends by answering the
 * request. */
void pl_api_abandon_with(pl_request_t *request, pl_flow_t *flow);

/* ---- answers ---- */

/* Answers with the problem that the outcome maps to (api/outcome_reply.c), and logs
 * PL_OUTCOME_FAILED. Not for PL_OUTCOME_DONE and PL_OUTCOME_DUPLICATE. */
void pl_api_reply_outcome(pl_request_t *request, const pl_outcome_t *outcome);

/* The code of that problem, for the audit log. */
const char *pl_api_outcome_code(const pl_outcome_t *outcome);

/* The end of a call whose owner is the request: answers, and releases the owner's reference. With
 * PL_OUTCOME_DONE the answer is 200 with the body, whose bytes it takes, or 204. Else it is the
 * outcome's problem, and the body is empty. */
void pl_api_finish(pl_request_t *request, const pl_outcome_t *outcome, pl_buffer_t *body);
void pl_api_finish_no_content(pl_request_t *request, const pl_outcome_t *outcome);

/* 404: there is no such conversation, or the caller takes no part in it. For a request with a
 * conversationId first in its path. */
void pl_api_reply_no_conversation(pl_request_t *request);

/* 401: the token is valid, but no user has its id. */
void pl_api_reply_no_caller(pl_request_t *request);

void pl_api_reply_shutting_down(pl_request_t *request);

#endif
