#include "api/context.h"

#include "base/id.h"
#include "http/problem.h"

int64_t pl_api_caller(const pl_api_t *api, pl_request_t *request)
{
    int64_t user_id = pl_request_claims(request)->user_id;

    if (!pl_cluster_can_have_id(api->core->deps.cluster, user_id) || pl_id_is_group(user_id)) {
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

bool pl_api_decode_conversation(const pl_api_t *api, pl_request_t *request, int64_t *caller_id_r,
                                int64_t *peer_id_r)
{
    *caller_id_r = pl_api_caller(api, request);
    if (*caller_id_r == 0 || pl_request_query(request, NULL, 0) != 0)
        return false;
    *peer_id_r = pl_api_peer_of(pl_request_path_parameter(request, 0), *caller_id_r);
    if (!pl_cluster_can_have_id(api->core->deps.cluster, *peer_id_r)) {
        pl_api_reply_no_conversation(request);
        return false;
    }
    return true;
}

static void on_gone(pl_request_t *request, void *owner)
{
    (void)request;
    pl_flow_abandon(owner);
}

void pl_api_abandon_with(pl_request_t *request, pl_flow_t *flow)
{
    pl_request_on_gone(request, on_gone, flow);
}

void pl_api_finish(pl_request_t *request, const pl_outcome_t *outcome, pl_buffer_t *body)
{
    if (outcome->code == PL_OUTCOME_DONE)
        pl_request_reply(request, &(pl_reply_t){.status = 200}, body);
    else
        pl_api_reply_outcome(request, outcome);
    pl_request_unref(&request);
}

void pl_api_finish_no_content(pl_request_t *request, const pl_outcome_t *outcome)
{
    if (outcome->code == PL_OUTCOME_DONE)
        pl_request_reply_no_content(request);
    else
        pl_api_reply_outcome(request, outcome);
    pl_request_unref(&request);
}

void pl_api_reply_no_conversation(pl_request_t *request)
{
    pl_slice_t id = pl_request_is_live(request) ? pl_request_path_parameter(request, 0)
                                                : (pl_slice_t){NULL, 0};

    if (pl_conversation_id_is_swapped(id.data, id.len))
        pl_problem_reply(request, PL_PROBLEM_CONVERSATION_NOT_FOUND,
                         "The lower userId comes first in a conversationId.");
    else
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_CONVERSATION_NOT_FOUND});
}

void pl_api_reply_no_caller(pl_request_t *request)
{
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_NO_ACTOR});
}

void pl_api_reply_shutting_down(pl_request_t *request)
{
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_SHUTTING_DOWN});
}
