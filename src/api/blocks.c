/*
 * blockUser, unblockUser, fetchBlock and fetchBlocks.
 *
 * A block is a row of the caller's mailbox, which a send looks at in its own transaction: once a
 * block is answered, no server takes anything from the blocked user.
 */
#include <stdlib.h>

#include "api/change_flow.h"
#include "api/user_check.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"
#include "push/presence.h"
#include "store/block.h"

#define PAGE_SIZE_DEFAULT 50

static void reply_no_user(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_USER_NOT_FOUND,
                     "There is no such user whom the caller could block.");
}

/* ---- blockUser, unblockUser ---- */

/* What the answer needs. */
typedef struct reply {
    pl_api_t *api;
} reply_t;

static void reply_changed(pl_request_t *request, const pl_change_t *change, bool is_complete,
                          void *arg)
{
    const reply_t *reply = arg;
    (void)is_complete;

    if (pl_change_is(change, "no-mailbox")) {
        pl_api_reply_no_caller(request);
    } else if (!pl_change_reply_refusal(request, change)) {
        pl_presence_reconsider(reply->api->deps.presence, change->mailbox_id);
        pl_request_reply_no_content(request);
    }
}

static void start_change(pl_api_t *api, pl_request_t *request, int64_t user_id, int64_t other_id,
                         bool is_on)
{
    pl_buffer_t argument = PL_BUFFER_EMPTY;
    reply_t *reply = pl_malloc(sizeof(*reply));

    reply->api = api;
    pl_json_object_begin(&argument);
    pl_json_key(&argument, "otherId");
    pl_json_id(&argument, other_id);
    pl_json_key(&argument, "on");
    pl_json_bool(&argument, is_on);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    pl_json_object_end(&argument);
    pl_change_flow_start(api, request,
                         &(pl_change_order_t){
                             .kind = "block",
                             .mailbox_id = user_id,
                             .argument = &argument,
                             .reply = reply_changed,
                             .arg = reply,
                         });
}

typedef struct blocking {
    pl_user_check_t check; /* of the other */
    pl_api_t *api;
    pl_request_t *request;
    int64_t user_id;
} blocking_t;

static void on_other_checked(blocking_t *blocking)
{
    const pl_user_check_t *check = &blocking->check;

    if (check->error != PL_OK)
        pl_api_reply_error(blocking->request, check->error);
    else if (!check->exists)
        reply_no_user(blocking->request);
    else
        start_change(blocking->api, blocking->request, blocking->user_id, check->user_id, true);
    pl_request_unref(&blocking->request);
    free(blocking);
}

static void on_other_read(pl_user_check_t *check)
{
    on_other_checked(H2O_STRUCT_FROM_MEMBER(blocking_t, check, check));
}

/* Both ids, or 0 and the request is answered. What is no user's id, in form or in fact, is not
 * found; nor is the caller, who cannot block themselves. */
static int64_t decode_ids(pl_api_t *api, pl_request_t *request, int64_t *other_id_r)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return 0;
    if (pl_id_parse(text.data, text.len, other_id_r) != 0 || pl_id_is_group(*other_id_r) ||
        *other_id_r == user_id) {
        reply_no_user(request);
        return 0;
    }
    return user_id;
}

static void on_block_user(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t other_id;
    int64_t user_id = decode_ids(api, request, &other_id);

    if (user_id == 0)
        return;
    blocking_t *blocking = pl_calloc(1, sizeof(*blocking));
    blocking->api = api;
    blocking->request = pl_request_ref(request);
    blocking->user_id = user_id;
    blocking->check.user_id = other_id;
    blocking->check.on_done = on_other_read;
    if (pl_user_check_start(api->user_checks, &blocking->check))
        on_other_checked(blocking);
}

/* Whoever it is: one who is erased can be unblocked too. */
static void on_unblock_user(pl_request_t *request, void *worker)
{
    int64_t other_id;
    int64_t user_id = decode_ids(worker, request, &other_id);

    if (user_id != 0)
        start_change(worker, request, user_id, other_id, false);
}

/* ---- fetchBlock, fetchBlocks ---- */

typedef struct fetch {
    pl_blocks_read_t read;
    pl_request_t *request;
    int64_t only_id; /* fetchBlock; 0: fetchBlocks */
} fetch_t;

static void fetch_destroy(fetch_t *fetch)
{
    pl_request_on_gone(fetch->request, NULL, NULL);
    pl_request_unref(&fetch->request);
    free(fetch);
}

static void on_gone(pl_request_t *request, void *owner)
{
    fetch_t *fetch = owner;
    (void)request;
    fetch->read.op.abandoned = true;
}

static void block_to_json(pl_buffer_t *out, const pl_block_t *block)
{
    pl_json_object_begin(out);
    pl_json_key(out, "userId");
    pl_json_id(out, block->blocked_id);
    pl_json_key(out, "blockedTimestamp");
    pl_json_int64(out, block->blocked_us);
    pl_json_object_end(out);
}

static void reply_block(const fetch_t *fetch)
{
    const pl_block_t *block = &fetch->read.blocks[0];
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (fetch->read.count == 0 || block->blocked_id != fetch->only_id) {
        pl_problem_reply(fetch->request, PL_PROBLEM_BLOCK_NOT_FOUND,
                         "The caller has not blocked such a user.");
        return;
    }
    block_to_json(&body, block);
    pl_request_reply(fetch->request, &(pl_reply_t){.status = 200}, &body);
}

static void reply_blocks(const fetch_t *fetch)
{
    const pl_blocks_read_t *read = &fetch->read;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    pl_json_object_begin(&body);
    pl_json_key(&body, "blocks");
    pl_json_array_begin(&body);
    for (size_t i = 0; i < read->count; i++)
        block_to_json(&body, &read->blocks[i]);
    pl_json_array_end(&body);
    pl_json_key(&body, "hasMore");
    pl_json_bool(&body, read->has_more);
    pl_json_object_end(&body);
    pl_request_reply(fetch->request, &(pl_reply_t){.status = 200}, &body);
}

static void on_read(pl_op_t *op)
{
    fetch_t *fetch = H2O_STRUCT_FROM_MEMBER(fetch_t, read.op, op);

    if (op->error != PL_OK)
        pl_api_reply_failure(fetch->request, op);
    else if (!fetch->read.found)
        pl_api_reply_no_caller(fetch->request);
    else if (fetch->only_id != 0)
        reply_block(fetch);
    else
        reply_blocks(fetch);
    fetch_destroy(fetch);
}

static void start_fetch(pl_api_t *api, pl_request_t *request, const fetch_t *wanted)
{
    fetch_t *fetch = pl_malloc(sizeof(*fetch));
    pl_op_t *op = &fetch->read.op;

    *fetch = *wanted;
    fetch->request = pl_request_ref(request);
    op->kind = &pl_blocks_read_kind;
    op->shard = (int)pl_id_shard(fetch->read.user_id);
    op->deadline_ms = pl_api_deadline_ms(api);
    op->on_done = on_read;
    pl_request_on_gone(request, on_gone, fetch);
    if (pl_lane_submit(pl_cluster_read_lane(api->deps.cluster, op->shard), op) != 0) {
        pl_api_reply_overloaded(request);
        fetch_destroy(fetch);
    }
}

static void on_fetch_block(pl_request_t *request, void *worker)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);
    fetch_t wanted = {.read = {.page_size = 1}};

    wanted.read.user_id = pl_api_caller(worker, request);
    if (wanted.read.user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_id_parse(text.data, text.len, &wanted.only_id) != 0) {
        pl_problem_reply(request, PL_PROBLEM_BLOCK_NOT_FOUND, "This is no userId.");
        return;
    }
    wanted.read.after = wanted.only_id - 1;
    start_fetch(worker, request, &wanted);
}

static void on_fetch_blocks(pl_request_t *request, void *worker)
{
    pl_query_parameter_t parameters[] = {{.name = "pageSize"}, {.name = "after"}};
    fetch_t wanted = {.only_id = 0};
    int64_t page_size;

    wanted.read.user_id = pl_api_caller(worker, request);
    if (wanted.read.user_id == 0 || pl_request_query(request, parameters, 2) != 0 ||
        pl_request_query_integer(request, &parameters[0], 1, PL_BLOCKS_PAGE_MAX, PAGE_SIZE_DEFAULT,
                                 &page_size) != 0 ||
        pl_request_query_integer(request, &parameters[1], 1, INT64_MAX, 0, &wanted.read.after) != 0)
        return;
    wanted.read.page_size = (int32_t)page_size;
    start_fetch(worker, request, &wanted);
}

const pl_route_t pl_api_blocks_routes[] = {
    {"fetchBlocks", "GET", "/v1/blocks", on_fetch_blocks, 0},
    {"blockUser", "PUT", "/v1/blocks/{userId}", on_block_user, 0},
    {"unblockUser", "DELETE", "/v1/blocks/{userId}", on_unblock_user, 0},
    {"fetchBlock", "GET", "/v1/blocks/{userId}", on_fetch_block, 0},
};
const size_t pl_api_blocks_routes_count = sizeof(pl_api_blocks_routes) /
                                          sizeof(pl_api_blocks_routes[0]);
