/*
 * fetchPresence and announcePresence.
 *
 * What is asked of the databases is with whom the caller has a conversation, once for the whole
 * list, and who of those shows their presence; who is online is in memory (push/presence.h).
 */
#include "api/presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "api/presence_shown.h"
#include "api/user_check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"
#include "push/metrics.h"

static int refuse_ids(pl_request_t *request, const char *name)
{
    char pointer[64];

    (void)snprintf(pointer, sizeof(pointer), "?%s", name);
    pl_problem_reply_field(request, pointer, "must be 1 to %d userIds, separated by commas",
                           PL_CONVERSATIONS_CHECK_MAX);
    return -1;
}

static bool has_id(const pl_conversations_check_t *check, int64_t user_id)
{
    for (size_t i = 0; i < check->count; i++)
        if (check->peers[i] == user_id)
            return true;
    return false;
}

int pl_presence_take_ids(pl_request_t *request, const pl_query_parameter_t *parameter,
                         pl_conversations_check_t *check)
{
    const char *at = parameter->value.data;
    const char *end = at + parameter->value.len;
    const char *comma;

    check->count = 0;
    do {
        int64_t user_id;
        comma = memchr(at, ',', (size_t)(end - at));
        const char *id_end = comma != NULL ? comma : end;
        if (pl_id_parse(at, (size_t)(id_end - at), &user_id) != 0)
            return refuse_ids(request, parameter->name);
        if (!has_id(check, user_id)) {
            if (check->count == PL_CONVERSATIONS_CHECK_MAX)
                return refuse_ids(request, parameter->name);
            check->peers[check->count++] = user_id;
        }
        at = id_end + 1;
    } while (comma != NULL);
    return 0;
}

void pl_presence_to_json(pl_buffer_t *out, int64_t user_id, const pl_presence_state_t *state)
{
    pl_json_object_begin(out);
    pl_json_key(out, "userId");
    pl_json_id(out, user_id);
    pl_json_key(out, "online");
    pl_json_bool(out, state->is_online);
    if (state->last_seen_us > 0) {
        pl_json_key(out, "lastSeenTimestamp");
        pl_json_int64(out, state->last_seen_us);
    }
    pl_json_object_end(out);
}

/* ---- fetchPresence ---- */

typedef struct fetch {
    pl_conversations_check_t check;
    pl_presence_question_t *question;
    pl_api_t *api;
    pl_request_t *request;
    int64_t peers[PL_CONVERSATIONS_CHECK_MAX]; /* with whom there is a conversation */
    size_t peers_count;
} fetch_t;

static void fetch_destroy(fetch_t *fetch)
{
    pl_presence_forget(&fetch->question);
    pl_request_on_gone(fetch->request, NULL, NULL);
    pl_request_unref(&fetch->request);
    free(fetch);
}

static void on_gone(pl_request_t *request, void *owner)
{
    fetch_t *fetch = owner;
    (void)request;
    if (fetch->question != NULL)
        fetch_destroy(fetch);
    else
        fetch->check.op.abandoned = true;
}

/* Whom the caller may not see is left out, like one who does not exist. */
static void answer(const fetch_t *fetch, const bool *is_shown)
{
    const pl_reply_t reply = {.status = 200, .cache = PL_CACHE_NO_STORE};
    int64_t now_ms = pl_clock_monotonic_ms();
    pl_buffer_t body = PL_BUFFER_EMPTY;

    pl_json_object_begin(&body);
    pl_json_key(&body, "users");
    pl_json_array_begin(&body);
    for (size_t i = 0; i < fetch->peers_count; i++) {
        if (!is_shown[i])
            continue;
        pl_presence_state_t state = pl_presence_read(fetch->api->deps.presence, fetch->peers[i],
                                                     now_ms);
        pl_presence_to_json(&body, fetch->peers[i], &state);
    }
    pl_json_array_end(&body);
    pl_json_object_end(&body);
    pl_request_reply(fetch->request, &reply, &body);
}

static void on_answer(void *owner, enum pl_error_code error, const bool *is_shown)
{
    fetch_t *fetch = owner;

    fetch->question = NULL;
    if (error != PL_OK)
        pl_api_reply_error(fetch->request, error);
    else
        answer(fetch, is_shown);
    fetch_destroy(fetch);
}

static void take_peers(fetch_t *fetch)
{
    const pl_conversations_check_t *check = &fetch->check;

    for (size_t i = 0; i < check->count; i++)
        if (check->has[i])
            fetch->peers[fetch->peers_count++] = check->peers[i];
}

static void on_checked(pl_op_t *op)
{
    fetch_t *fetch = H2O_STRUCT_FROM_MEMBER(fetch_t, check.op, op);

    if (op->error != PL_OK) {
        pl_api_reply_failure(fetch->request, op);
    } else if (!fetch->check.found) {
        pl_api_reply_no_caller(fetch->request);
    } else if (pl_request_is_live(fetch->request)) {
        take_peers(fetch);
        if (fetch->peers_count > 0) {
            fetch->question = pl_presence_ask(fetch->api, fetch->check.user_id, fetch->peers,
                                              fetch->peers_count, on_answer, fetch);
            return;
        }
        answer(fetch, NULL);
    }
    fetch_destroy(fetch);
}

static void fetch_begin(fetch_t *fetch)
{
    pl_op_t *op = &fetch->check.op;

    op->kind = &pl_conversations_check_kind;
    op->shard = (int)pl_id_shard(fetch->check.user_id);
    op->deadline_ms = pl_api_deadline_ms(fetch->api);
    op->on_done = on_checked;
    pl_request_on_gone(fetch->request, on_gone, fetch);
    if (pl_lane_submit(pl_cluster_read_lane(fetch->api->deps.cluster, op->shard), op) != 0) {
        pl_api_reply_overloaded(fetch->request);
        fetch_destroy(fetch);
    }
}

static void on_fetch_presence(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_query_parameter_t user_ids = {.name = "userIds", .is_list = true};
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, &user_ids, 1) != 0)
        return;
    if (user_ids.value.data == NULL) {
        pl_problem_reply_field(request, "?userIds", "is required");
        return;
    }
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));
    if (pl_presence_take_ids(request, &user_ids, &fetch->check) != 0) {
        free(fetch);
        return;
    }
    fetch->api = api;
    fetch->request = pl_request_ref(request);
    fetch->check.user_id = user_id;
    fetch_begin(fetch);
}

/* ---- announcePresence ---- */

typedef struct announcement {
    pl_user_check_t check;
    pl_api_t *api;
    pl_request_t *request;
} announcement_t;

static void on_caller_checked(announcement_t *announcement)
{
    const pl_user_check_t *check = &announcement->check;
    pl_request_t *request = announcement->request;

    if (check->error != PL_OK) {
        pl_api_reply_error(request, check->error);
    } else if (!check->exists) {
        pl_api_reply_no_caller(request);
    } else if (pl_presence_announce(announcement->api->deps.presence, check->user_id,
                                    pl_clock_monotonic_ms()) != 0) {
        pl_push_metrics_presence_refused();
        pl_problem_reply(request, PL_PROBLEM_OVERLOADED,
                         "Too many users are online. Nothing has changed.");
    } else {
        pl_request_reply_no_content(request);
    }
    pl_request_unref(&announcement->request);
    free(announcement);
}

static void on_caller_read(pl_user_check_t *check)
{
    on_caller_checked(H2O_STRUCT_FROM_MEMBER(announcement_t, check, check));
}

static void on_announce_presence(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    announcement_t *announcement = pl_calloc(1, sizeof(*announcement));
    announcement->api = api;
    announcement->request = pl_request_ref(request);
    announcement->check.user_id = user_id;
    announcement->check.on_done = on_caller_read;
    if (pl_user_check_start(api->user_checks, &announcement->check))
        on_caller_checked(announcement);
}

const pl_route_t pl_api_presence_routes[] = {
    {"fetchPresence", "GET", "/v1/presence", on_fetch_presence, 0},
    {"announcePresence", "PUT", "/v1/presence", on_announce_presence, 0},
};
const size_t pl_api_presence_routes_count = sizeof(pl_api_presence_routes) /
                                            sizeof(pl_api_presence_routes[0]);
