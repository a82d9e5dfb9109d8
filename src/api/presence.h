/*
 * Who is online: what fetchPresence and a stream's watch have in common. The routes are declared in
 * context.h.
 */
#ifndef PL_API_PRESENCE_H
#define PL_API_PRESENCE_H

#include "http/request.h"
#include "push/presence.h"
#include "store/conversation.h"

/* Takes the parameter's ids into check->peers, each once. -1: they are not 1 to
 * PL_CONVERSATIONS_CHECK_MAX ids between commas, and the request was answered with a 422. */
int pl_presence_take_ids(pl_request_t *request, const pl_query_parameter_t *parameter,
                         pl_conversations_check_t *check) PL_MUST_USE;

/* A Presence of the contract. */
void pl_presence_to_json(pl_buffer_t *out, int64_t user_id, const pl_presence_state_t *state);

#endif
