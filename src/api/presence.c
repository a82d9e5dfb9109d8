/* fetchPresence and announcePresence. */
#include "core/presence.h"

#include "api/context.h"
#include "api/handlers.h"
#include "api/ids_input.h"
#include "base/json_write.h"
#include "http/problem.h"

/* ---- fetchPresence ---- */

static void presence_to_json(pl_buffer_t *out, const pl_presence_result_t *result)
{
    pl_json_object_begin(out);
    pl_json_key(out, "users");
    pl_json_array_begin(out);
    for (size_t i = 0; i < result->count; i++) {
        pl_json_object_begin(out);
        pl_presence_members_to_json(out, result->user_ids[i], &result->states[i]);
        pl_json_object_end(out);
    }
    pl_json_array_end(out);
    pl_json_object_end(out);
}

static void on_fetched(const pl_presence_result_t *result, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE)
        presence_to_json(&body, result);
    pl_api_finish(owner, &result->outcome, &body);
}

void pl_on_fetch_presence(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_query_parameter_t user_ids = {.name = "userIds", .is_list = true};
    int64_t user_id = pl_api_caller(api, request);
    int64_t ids[PL_CONVERSATIONS_CHECK_MAX];
    size_t count;

    if (user_id == 0 || pl_request_query(request, &user_ids, 1) != 0)
        return;
    if (user_ids.value.data == NULL)
        pl_problem_reply_field(request, "?userIds", "is required");
    else if (pl_ids_input_decode(request, &user_ids, PL_CONVERSATIONS_CHECK_MAX, ids, &count) == 0)
        pl_api_abandon_with(request, pl_presence_fetch_start(api->core, user_id, ids, count,
                                                             on_fetched, pl_request_ref(request)));
}

/* ---- announcePresence ---- */

static void on_announced(const pl_presence_result_t *result, void *owner)
{
    pl_api_finish_no_content(owner, &result->outcome);
}

void pl_on_announce_presence(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_presence_announce_start(api->core, user_id, on_announced, pl_request_ref(request));
}
