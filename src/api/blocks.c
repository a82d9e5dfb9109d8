/* blockUser, unblockUser, fetchBlock and fetchBlocks. */
#include <stdlib.h>

#include "api/context.h"
#include "api/handlers.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/block.h"
#include "http/problem.h"

#define PAGE_SIZE_DEFAULT 50

/* ---- blockUser, unblockUser ---- */

static void on_changed(const pl_outcome_t *outcome, void *owner)
{
    pl_api_finish_no_content(owner, outcome);
}

/* A malformed or unknown user's id is not found. Neither is the caller's own, because users cannot
 * block themselves. */
static void change(pl_api_t *api, pl_request_t *request, bool is_blocked)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id = pl_api_caller(api, request);
    int64_t other_id;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_id_parse(text.data, text.len, &other_id) != 0 || pl_id_is_group(other_id) ||
        other_id == user_id)
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_USER_NOT_FOUND});
    else
        pl_block_start(api->core, user_id, other_id, is_blocked, on_changed,
                       pl_request_ref(request));
}

void pl_on_block_user(pl_request_t *request, void *worker)
{
    change(worker, request, true);
}

void pl_on_unblock_user(pl_request_t *request, void *worker)
{
    change(worker, request, false);
}

/* ---- fetchBlock, fetchBlocks ---- */

static void block_to_json(pl_buffer_t *out, const pl_block_t *block)
{
    pl_json_object_begin(out);
    pl_json_key(out, "userId");
    pl_json_id(out, block->blocked_id);
    pl_json_key(out, "blockedTimestamp");
    pl_json_int64(out, block->blocked_us);
    pl_json_object_end(out);
}

/* The page begins at the id: its first block is the one with this id, or a later one. */
static void reply_block(pl_request_t *request, const pl_blocks_read_t *read)
{
    const pl_block_t *block = &read->blocks[0];
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (read->count == 0 || block->blocked_id != read->after + 1) {
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_BLOCK_NOT_FOUND});
        return;
    }
    block_to_json(&body, block);
    pl_request_reply(request, &(pl_reply_t){.status = 200}, &body);
}

static void on_block(const pl_outcome_t *outcome, const pl_blocks_read_t *read, void *owner)
{
    pl_request_t *request = owner;

    if (outcome->code == PL_OUTCOME_DONE)
        reply_block(request, read);
    else
        pl_api_reply_outcome(request, outcome);
    pl_request_unref(&request);
}

static void blocks_to_json(pl_buffer_t *out, const pl_blocks_read_t *read)
{
    pl_json_object_begin(out);
    pl_json_key(out, "blocks");
    pl_json_array_begin(out);
    for (size_t i = 0; i < read->count; i++)
        block_to_json(out, &read->blocks[i]);
    pl_json_array_end(out);
    pl_json_key(out, "hasMore");
    pl_json_bool(out, read->has_more);
    pl_json_object_end(out);
}

static void on_blocks(const pl_outcome_t *outcome, const pl_blocks_read_t *read, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (outcome->code == PL_OUTCOME_DONE)
        blocks_to_json(&body, read);
    pl_api_finish(owner, outcome, &body);
}

void pl_on_fetch_block(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id = pl_api_caller(api, request);
    int64_t other_id;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_id_parse(text.data, text.len, &other_id) != 0)
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_BLOCK_NOT_FOUND});
    else
        pl_api_abandon_with(request, pl_blocks_fetch_start(api->core, user_id, other_id - 1, 1,
                                                           on_block, pl_request_ref(request)));
}

void pl_on_fetch_blocks(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_query_parameter_t query[] = {{.name = "pageSize"}, {.name = "after"}};
    int64_t user_id = pl_api_caller(api, request);
    int64_t page_size, after;

    if (user_id == 0 || pl_request_query(request, query, 2) != 0 ||
        pl_request_query_integer(request, &query[0], 1, PL_BLOCKS_PAGE_MAX, PAGE_SIZE_DEFAULT,
                                 &page_size) != 0 ||
        pl_request_query_integer(request, &query[1], 1, INT64_MAX, 0, &after) != 0)
        return;
    pl_api_abandon_with(request,
                        pl_blocks_fetch_start(api->core, user_id, after, (int32_t)page_size,
                                              on_blocks, pl_request_ref(request)));
}
