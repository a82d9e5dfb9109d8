/* fetchPresence and announcePresence. */
#include "core/presence.h"

#include "api/context.h"
#include "api/handlers.h"
#include "api/ids_input.h"
#include "base/json_write.h"
#include "http/problem.h"

/* ---- fetchPresence ---- */

static void reply_presence(pl_request_t *request, const pl_presence_result_t *result)
{
    const pl_reply_t reply = {.status = 200, .cache = PL_CACHE_NO_STORE};
    pl_buffer_t body = PL_BUFFER_EMPTY;

    pl_json_object_begin(&body);
    pl_json_key(&body, "users");
    pl_json_array_begin(&body);
    for (size_t i = 0; i < result->count; i++) {
        pl_json_object_begin(&body);
        pl_presence_members_to_json(&body, result->user_ids[i], &result->states[i]);
        pl_json_object_end(&body);
    }
    pl_json_array_end(&body);
    pl_json_object_end(&body);
    pl_request_reply(request, &reply, &body);
}

static void on_fetched(const pl_presence_result_t *result, void *owner)
{
    pl_request_t *request = owner;

    if (result->outcome.code == PL_OUTCOME_DONE)
        reply_presence(request, result);
    else
        pl_api_reply_outcome(request, &result->outcome);
    pl_request_unref(&request);
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
    pl_request_t *request = owner;

    if (result->outcome.code == PL_OUTCOME_DONE)
        pl_request_reply_no_content(request);
    else
        pl_api_reply_outcome(request, &result->outcome);
    pl_request_unref(&request);
}

void pl_on_announce_presence(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_presence_announce_start(api->core, user_id, on_announced, pl_request_ref(request));
}
