/*
 * sendTyping: tells the open streams of a conversation's others that the caller is typing.
 *
 *   checking caller -> checking peer -> not worth telling -----------------------> answered
 *                                  \-> asking whether the peer blocks -> told or not -^
 *                  \-> a group: reading its members -> told, or not worth telling ----^
 *
 * Nothing is stored. What is read is whether both exist and, where there is somebody to tell, one
 * row of the peer's mailbox: a user hears nothing of one whom they have blocked. What is told is a
 * hint that ends by itself: each event says when, so that a client that stops typing, or leaves,
 * need say nothing.
 */
#include "api/typing.h"

#include <stdlib.h>

#include "api/context.h"
#include "api/typing_limit.h"
#include "api/user_check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "http/problem.h"
#include "push/hub.h"
#include "store/block.h"
#include "store/group.h"

/* Long enough for a client that repeats itself every three seconds to lose one word on its way. */
#define SHOWN_US INT64_C(6000000)

static struct {
    pl_counter_t told;
    pl_counter_t limited;
    pl_counter_t unwatched;
    pl_counter_t blocked;
} counters;

void pl_typing_metrics_init(void)
{
    static const char name[] = "parley_typing_total";
    static const char help[] = "Calls of sendTyping that were accepted, by what became of them.";

    counters.told = pl_counter_register(name, help, "result=\"told\"");
    counters.limited = pl_counter_register(name, help, "result=\"limited\"");
    counters.unwatched = pl_counter_register(name, help, "result=\"unwatched\"");
    counters.blocked = pl_counter_register(name, help, "result=\"blocked\"");
}

typedef struct typing {
    pl_user_check_t check;
    pl_block_check_t block;
    pl_group_members_read_t *group; /* NULL: a 1:1 */
    pl_api_t *api;
    pl_request_t *request;
    int64_t user_id;
    int64_t peer_id;
} typing_t;

static void typing_destroy(typing_t *typing)
{
    pl_request_unref(&typing->request);
    free(typing->group);
    free(typing);
}

static void fail(typing_t *typing)
{
    pl_api_reply_error(typing->request, typing->check.error);
    typing_destroy(typing);
}

static void encode(pl_buffer_t *out, const typing_t *typing)
{
    pl_buffer_append_text(out, "event: typing\ndata: ");
    pl_json_object_begin(out);
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, typing->user_id, typing->peer_id);
    pl_json_key(out, "userId");
    pl_json_id(out, typing->user_id);
    pl_json_key(out, "expiresTimestamp");
    pl_json_int64(out, pl_clock_now_us() + SHOWN_US);
    pl_json_object_end(out);
    pl_buffer_append_text(out, "\n\n");
}

/* Streams of this process hear of it; word to other servers goes out from here too. */
static void tell_others(const typing_t *typing, const int64_t *others, size_t count)
{
    pl_buffer_t event = PL_BUFFER_EMPTY;

    pl_counter_add(counters.told, 1);
    encode(&event, typing);
    for (size_t i = 0; i < count; i++)
        if (others[i] != typing->user_id)
            pl_hub_tell(pl_hub_of(typing->api->deps.hub), others[i], event.data, event.len);
    pl_buffer_dispose(&event);
}

static bool is_worth_telling(const typing_t *typing, const int64_t *others, size_t count)
{
    size_t awaited = 0;

    for (size_t i = 0; i < count; i++)
        awaited += others[i] != typing->user_id &&
                   pl_hub_is_awaited(pl_hub_of(typing->api->deps.hub), others[i]);
    if (awaited == 0) {
        pl_counter_add(counters.unwatched, 1);
        return false;
    }
    if (!pl_typing_limit_take(typing->api->deps.typing_limit, typing->user_id, typing->peer_id,
                              pl_clock_monotonic_ms())) {
        pl_counter_add(counters.limited, 1);
        return false;
    }
    return true;
}

/* ---- a group's members ---- */

static void on_members_read(pl_op_t *op)
{
    pl_group_members_read_t *group = H2O_STRUCT_FROM_MEMBER(pl_group_members_read_t, op, op);
    typing_t *typing = group->owner;

    if (op->error != PL_OK) {
        pl_api_reply_failure(typing->request, op);
    } else if (group->count == 0) {
        pl_api_reply_no_conversation(typing->request);
    } else {
        if (is_worth_telling(typing, group->members, group->count))
            tell_others(typing, group->members, group->count);
        pl_request_reply_no_content(typing->request);
    }
    typing_destroy(typing);
}

static void read_members(typing_t *typing)
{
    pl_group_members_read_t *group = pl_calloc(1, sizeof(*group));

    typing->group = group;
    group->owner = typing;
    group->member_id = typing->user_id;
    group->group_id = typing->peer_id;
    group->op.kind = &pl_group_members_read_kind;
    group->op.shard = (int)pl_id_shard(typing->user_id);
    group->op.deadline_ms = pl_api_deadline_ms(typing->api);
    group->op.on_done = on_members_read;
    if (pl_lane_submit(pl_cluster_read_lane(typing->api->deps.cluster, group->op.shard),
                       &group->op) != 0)
        pl_op_refuse(&group->op);
}

/* ---- the other of a 1:1 ---- */

/* Who is blocked gets the answer that everybody gets. */
static void on_block_read(pl_op_t *op)
{
    typing_t *typing = H2O_STRUCT_FROM_MEMBER(typing_t, block.op, op);

    if (op->error != PL_OK) {
        pl_api_reply_failure(typing->request, op);
    } else {
        if (typing->block.is_blocked)
            pl_counter_add(counters.blocked, 1);
        else
            tell_others(typing, &typing->peer_id, 1);
        pl_request_reply_no_content(typing->request);
    }
    typing_destroy(typing);
}

static void ask_whether_blocked(typing_t *typing)
{
    pl_op_t *op = &typing->block.op;

    typing->block.user_id = typing->peer_id;
    typing->block.other_id = typing->user_id;
    op->kind = &pl_block_check_kind;
    op->shard = (int)pl_id_shard(typing->peer_id);
    op->deadline_ms = pl_api_deadline_ms(typing->api);
    op->on_done = on_block_read;
    if (pl_lane_submit(pl_cluster_read_lane(typing->api->deps.cluster, op->shard), op) != 0) {
        pl_api_reply_overloaded(typing->request);
        typing_destroy(typing);
    }
}

static void on_peer_checked(typing_t *typing)
{
    if (typing->check.error != PL_OK) {
        fail(typing);
    } else if (!typing->check.exists) {
        pl_api_reply_no_conversation(typing->request);
        typing_destroy(typing);
    } else if (is_worth_telling(typing, &typing->peer_id, 1)) {
        ask_whether_blocked(typing);
    } else {
        pl_request_reply_no_content(typing->request);
        typing_destroy(typing);
    }
}

static void on_peer_read(pl_user_check_t *check)
{
    on_peer_checked(H2O_STRUCT_FROM_MEMBER(typing_t, check, check));
}

static void on_caller_checked(typing_t *typing)
{
    if (typing->check.error != PL_OK) {
        fail(typing);
    } else if (!typing->check.exists) {
        pl_api_reply_no_caller(typing->request);
        typing_destroy(typing);
    } else if (pl_id_is_group(typing->peer_id)) {
        read_members(typing);
    } else {
        typing->check.user_id = typing->peer_id;
        typing->check.on_done = on_peer_read;
        if (pl_user_check_start(typing->api->user_checks, &typing->check))
            on_peer_checked(typing);
    }
}

static void on_caller_read(pl_user_check_t *check)
{
    on_caller_checked(H2O_STRUCT_FROM_MEMBER(typing_t, check, check));
}

static void on_send_typing(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    int64_t peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), user_id);
    if (peer_id == 0) {
        pl_api_reply_no_conversation(request);
        return;
    }
    typing_t *typing = pl_calloc(1, sizeof(*typing));
    typing->api = api;
    typing->request = pl_request_ref(request);
    typing->user_id = user_id;
    typing->peer_id = peer_id;
    typing->check.user_id = user_id;
    typing->check.on_done = on_caller_read;
    if (pl_user_check_start(api->user_checks, &typing->check))
        on_caller_checked(typing);
}

const pl_route_t pl_api_typing_routes[] = {
    {"sendTyping", "POST", "/v1/conversations/{conversationId}/typing", on_send_typing, 0},
};
const size_t pl_api_typing_routes_count = sizeof(pl_api_typing_routes) /
                                          sizeof(pl_api_typing_routes[0]);
