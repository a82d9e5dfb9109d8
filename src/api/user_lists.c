#include "api/user_lists.h"

#include "core/message_change.h"
#include "http/problem.h"

#define PAGE_SIZE_DEFAULT 50

enum { PAGE_SIZE, AFTER, EMOJI, PARAMETERS };

/* -1: the request is answered. */
static int decode_emoji(pl_request_t *request, pl_slice_t emoji, pl_user_list_order_t *order)
{
    if (emoji.data == NULL)
        return 0;
    if (emoji.len == 0 || emoji.len > PL_EMOJI_MAX) {
        pl_problem_reply_field(request, "?emoji", "must be 1 to %d bytes", PL_EMOJI_MAX);
        return -1;
    }
    order->emoji = emoji.data;
    order->emoji_len = emoji.len;
    return 0;
}

int pl_user_lists_decode(pl_request_t *request, pl_user_list_order_t *order)
{
    bool has_emoji = order->kind == PL_USER_LIST_REACTIONS;
    pl_query_parameter_t query[PARAMETERS] = {
        [PAGE_SIZE] = {.name = "pageSize"},
        [AFTER] = {.name = "after"},
        [EMOJI] = {.name = "emoji"},
    };
    int64_t page_size;

    if (pl_request_query(request, query, has_emoji ? PARAMETERS : EMOJI) != 0 ||
        pl_request_query_integer(request, &query[PAGE_SIZE], 1, PL_USER_LIST_PAGE_MAX,
                                 PAGE_SIZE_DEFAULT, &page_size) != 0 ||
        pl_request_query_integer(request, &query[AFTER], 1, INT64_MAX, 0, &order->after) != 0)
        return -1;
    order->page_size = (int32_t)page_size;
    return decode_emoji(request, query[EMOJI].value, order);
}

static void on_fetched(const pl_outcome_t *outcome, const char *json, size_t len, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (outcome->code == PL_OUTCOME_DONE)
        pl_buffer_append(&body, json, len);
    pl_api_finish(owner, outcome, &body);
}

void pl_user_lists_answer(const pl_api_t *api, pl_request_t *request,
                          const pl_user_list_order_t *order)
{
    pl_api_abandon_with(request,
                        pl_user_list_start(api->core, order, on_fetched, pl_request_ref(request)));
}
