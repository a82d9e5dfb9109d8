#include "api/updates.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/receipt_writer.h"
#include "http/problem.h"
#include "push/metrics.h"
#include "push/presence.h"
#include "store/resource_json.h"

/* A long-poll and a stream hold at most one delta in memory for their client. It is at most as
 * large as a stream's queue, so a client that does not read costs no more memory than that. */
static size_t max_delta_bytes(const pl_config_t *config)
{
    return (size_t)config->push.stream_queue;
}

pl_updates_t *pl_updates_create(pl_api_t *api)
{
    const pl_config_t *config = api->config;
    pl_updates_t *updates = pl_calloc(1, sizeof(*updates));

    updates->api = api;
    updates->follow = (pl_follower_settings_t){
        .hub = api->core->deps.hub,
        .cluster = api->core->deps.cluster,
        .heartbeat_ms = (uint64_t)config->push.heartbeat_s * 1000,
        .deadline_ms = (uint64_t)config->lanes.request_deadline_s * 1000,
        .max_delta_bytes = max_delta_bytes(config),
    };
    h2o_linklist_init_anchor(&updates->polls);
    h2o_linklist_init_anchor(&updates->streams);
    return updates;
}

bool pl_updates_admit(const pl_updates_t *updates, pl_request_t *request)
{
    if (pl_api_caller(updates->api, request) == 0)
        return false;
    if (updates->draining)
        pl_api_reply_shutting_down(request);
    return !updates->draining;
}

bool pl_updates_is_ended(const pl_updates_t *updates, const pl_token_claims_t *claims,
                         pl_outcome_t *outcome_r)
{
    enum pl_ended ended = pl_endings_check(updates->api->core->deps.endings, claims);

    *outcome_r = (pl_outcome_t){
        .code = ended == PL_ENDED_USER ? PL_OUTCOME_NO_ACTOR : PL_OUTCOME_SESSION_ENDED,
    };
    return ended != PL_ENDED_NOT;
}

bool pl_updates_enter(const pl_updates_t *updates, int64_t user_id)
{
    if (pl_presence_enter(updates->api->core->deps.presence, user_id, pl_clock_monotonic_ms()) == 0)
        return true;
    pl_push_metrics_presence_refused();
    return false;
}

void pl_updates_leave(const pl_updates_t *updates, int64_t user_id)
{
    pl_presence_leave(updates->api->core->deps.presence, user_id, pl_clock_monotonic_ms());
}

void pl_updates_note_cursor(const pl_updates_t *updates, int64_t user_id, int64_t cursor)
{
    if (cursor > 0)
        pl_receipt_writer_note_cursor(updates->api->core->deps.receipt_writer, user_id, cursor);
}

void pl_updates_reply_error(pl_request_t *request, enum pl_error_code error)
{
    if (error == PL_ERROR_INVALID)
        pl_api_reply_no_caller(request);
    else
        /* A read changes nothing, so an unknown outcome only means that it failed. */
        pl_problem_reply(request,
                         error == PL_ERROR_OUTCOME_UNKNOWN ? PL_PROBLEM_UNAVAILABLE
                                                           : pl_problem_of_error(error),
                         "The updates could not be read. Try again.");
}

void pl_updates_reply_too_many(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_TOO_MANY_REQUESTS,
                     "Too many long-polls and streams are open.");
}

void pl_empty_delta_to_json(pl_buffer_t *out, int64_t cursor)
{
    const pl_page_t page = {.version = cursor, .is_delta = true, .has_more = false};

    pl_json_object_begin(out);
    pl_json_key(out, "messages");
    pl_json_array_begin(out);
    pl_json_array_end(out);
    pl_json_key(out, "conversations");
    pl_json_array_begin(out);
    pl_json_array_end(out);
    pl_page_tail_to_json(out, &page);
    pl_json_object_end(out);
}
