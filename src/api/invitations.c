/* fetchInvitations, acceptInvitation and declineInvitation. */
#include "api/context.h"
#include "api/handlers.h"
#include "base/id.h"
#include "base/json_write.h"
#include "core/group.h"
#include "core/invitation.h"

/* ---- fetchInvitations ---- */

static void on_invitations(const pl_outcome_t *outcome, const char *json, size_t len, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (outcome->code == PL_OUTCOME_DONE) {
        pl_json_object_begin(&body);
        pl_json_key(&body, "invitations");
        pl_buffer_append(&body, json, len);
        pl_json_object_end(&body);
    }
    pl_api_finish(owner, outcome, &body);
}

void pl_on_fetch_invitations(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_api_abandon_with(request, pl_invitations_fetch_start(api->core, user_id, on_invitations,
                                                            pl_request_ref(request)));
}

/* ---- acceptInvitation, declineInvitation ---- */

/* The caller, and the group that the path names. False: the request is answered. No other value
 * can have an invitation. */
static bool decode_group(const pl_api_t *api, pl_request_t *request, int64_t *user_id_r,
                         int64_t *group_id_r)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);

    *user_id_r = pl_api_caller(api, request);
    if (*user_id_r == 0 || pl_request_query(request, NULL, 0) != 0)
        return false;
    if (pl_id_parse(text.data, text.len, group_id_r) == 0 && pl_id_is_group(*group_id_r) &&
        pl_cluster_can_have_id(api->core->deps.cluster, *group_id_r))
        return true;
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_INVITATION_NOT_FOUND});
    return false;
}

static void on_accepted(const pl_group_result_t *result, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE)
        pl_buffer_append(&body, result->json, result->json_len);
    pl_api_finish(owner, &result->outcome, &body);
}

void pl_on_accept_invitation(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_group_change_order_t order = {.kind = PL_GROUP_ACCEPT};

    if (decode_group(api, request, &order.actor_id, &order.group_id))
        pl_group_change_start(api->core, &order, on_accepted, pl_request_ref(request));
}

static void on_declined(const pl_outcome_t *outcome, void *owner)
{
    pl_api_finish_no_content(owner, outcome);
}

void pl_on_decline_invitation(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id, group_id;

    if (decode_group(api, request, &user_id, &group_id))
        pl_invitation_decline_start(api->core, user_id, group_id, on_declined,
                                    pl_request_ref(request));
}
