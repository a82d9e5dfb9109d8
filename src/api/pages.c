#include "api/pages.h"

#include <stdio.h>

#include "base/id.h"
#include "core/page_cursor.h"
#include "http/problem.h"

/* The database looks at every row up to the page. */
#define PAGE_DEPTH_MAX 1000
/* A version in quotes. */
#define ETAG_SIZE (PL_ID_TEXT_SIZE + 2)

int pl_pages_decode_cursor(pl_request_t *request, const pl_query_parameter_t *parameter,
                           int64_t fallback, int64_t *cursor_r)
{
    if (pl_request_query_integer(request, parameter, 0, PL_CURSOR_MAX, fallback, cursor_r) != 0)
        return -1;
    if (*cursor_r <= 0 || *cursor_r >= PL_CURSOR_MIN)
        return 0;
    char pointer[64];

    (void)snprintf(pointer, sizeof(pointer), "?%s", parameter->name);
    pl_problem_reply_field(request, pointer,
                           "must be 0, or microseconds since 1970 as an answer has them; "
                           "this looks like another unit");
    return -1;
}

/* At most one of PAGE_NUMBER and the later parameters may be given. Pages of conversations have a
 * cursor in place of BEFORE, and not the later ones. */
enum { PAGE_SIZE, SINCE, PAGE_NUMBER, BEFORE, AFTER, AROUND, PARAMETERS };

/* A page is chosen by at most one of these parameters. */
static int refuse_two_places(pl_request_t *request, const pl_query_parameter_t *query)
{
    const pl_query_parameter_t *given = NULL;
    char pointer[64];

    for (size_t i = PAGE_NUMBER; i < PARAMETERS; i++) {
        if (query[i].value.data == NULL)
            continue;
        if (given != NULL) {
            (void)snprintf(pointer, sizeof(pointer), "?%s", query[i].name);
            pl_problem_reply_field(request, pointer, "cannot be given together with %s",
                                   given->name);
            return -1;
        }
        given = &query[i];
    }
    return 0;
}

static int decode_page_number(pl_request_t *request, const pl_query_parameter_t *query,
                              pl_page_key_t *key)
{
    int64_t page_number;

    if (pl_request_query_integer(request, &query[PAGE_NUMBER], 1, PAGE_DEPTH_MAX, 1,
                                 &page_number) != 0)
        return -1;
    key->skip = (page_number - 1) * key->page_size;
    if (page_number * key->page_size <= PAGE_DEPTH_MAX)
        return 0;
    pl_problem_reply(request, PL_PROBLEM_PAGE_TOO_DEEP,
                     "pageNumber times pageSize can be at most %d. Use %s to go on from a page",
                     PAGE_DEPTH_MAX, query[BEFORE].name);
    return -1;
}

static int decode_cursor(pl_request_t *request, const pl_query_parameter_t *cursor,
                         pl_page_key_t *key)
{
    if (cursor->value.data == NULL || pl_page_cursor_parse(cursor->value.data, cursor->value.len,
                                                           &key->before, &key->peer_id) == 0)
        return 0;
    pl_problem_reply_field(request, "?cursor", "must be the nextCursor of an answer");
    return -1;
}

static int decode_place(pl_request_t *request, const pl_query_parameter_t *query,
                        pl_page_key_t *key)
{
    if (decode_page_number(request, query, key) != 0)
        return -1;
    if (key->kind == PL_PAGE_CONVERSATIONS
            ? decode_cursor(request, &query[BEFORE], key) != 0
            : pl_request_query_integer(request, &query[BEFORE], 1, INT64_MAX, 0, &key->before) != 0)
        return -1;
    if (pl_request_query_integer(request, &query[AFTER], 1, INT64_MAX, 0, &key->after) != 0 ||
        pl_request_query_integer(request, &query[AROUND], 1, INT64_MAX, 0, &key->around) != 0)
        return -1;
    return refuse_two_places(request, query);
}

int pl_pages_decode(pl_request_t *request, int64_t default_size, pl_page_key_t *key)
{
    pl_query_parameter_t query[PARAMETERS] = {
        [PAGE_SIZE] = {.name = "pageSize"},
        [SINCE] = {.name = "lastUpdatedTimestamp"},
        [PAGE_NUMBER] = {.name = "pageNumber"},
        [BEFORE] = {.name = key->kind == PL_PAGE_MESSAGES ? "before" : "cursor"},
        [AFTER] = {.name = "after"},
        [AROUND] = {.name = "around"},
    };

    if (pl_request_query(request, query, key->kind == PL_PAGE_MESSAGES ? PARAMETERS : AFTER) != 0 ||
        pl_request_query_integer(request, &query[PAGE_SIZE], 1, PL_PAGE_SIZE_MAX, default_size,
                                 &key->page_size) != 0 ||
        pl_pages_decode_cursor(request, &query[SINCE], 0, &key->since) != 0 ||
        decode_place(request, query, key) != 0)
        return -1;
    /* With these, the page is history, for which a cursor has no meaning. */
    if (key->skip > 0 || key->before > 0 || key->after > 0 || key->around > 0)
        key->since = 0;
    return 0;
}

static void format_etag(char etag[ETAG_SIZE], int64_t version)
{
    (void)snprintf(etag, ETAG_SIZE, "\"%lld\"", (long long)version);
}

static bool has_version(void *owner, int64_t version)
{
    char etag[ETAG_SIZE];

    format_etag(etag, version);
    return pl_request_has_etag(owner, etag);
}

static void on_fetched(const pl_page_result_t *result, void *owner)
{
    pl_request_t *request = owner;
    char etag[ETAG_SIZE];

    format_etag(etag, result->version);
    if (result->outcome.code != PL_OUTCOME_DONE) {
        pl_api_reply_outcome(request, &result->outcome);
    } else if (result->page != NULL) {
        pl_reply_t reply = {.status = 200, .cache = PL_CACHE_REVALIDATE, .etag = etag};
        pl_request_reply_shared(request, &reply, result->page->data, result->page->len,
                                pl_cached_page_unref, result->page);
    } else {
        pl_request_reply_not_modified(request, etag, PL_CACHE_REVALIDATE);
    }
    pl_request_unref(&request);
}

void pl_pages_answer(pl_api_t *api, pl_request_t *request, const pl_page_key_t *key)
{
    bool has_etag = pl_request_header(request, "if-none-match").data != NULL;
    const pl_page_order_t order = {
        .key = *key,
        .bearer = *pl_request_claims(request),
        .has_version = has_etag ? has_version : NULL,
    };

    pl_api_abandon_with(
        request, pl_page_fetch_start(api->core, &order, on_fetched, pl_request_ref(request)));
}
