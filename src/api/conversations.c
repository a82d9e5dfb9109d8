/*
 * fetchConversation and fetchMessages: pages of a mailbox.
 *
 *   decoded --cached, or If-None-Match--> version --equal--> 304, or the cached page
 *      |                                     \--else--.
 *      \------------------------------------------------> page --no rows: does the peer exist?-->
 * 200
 *
 * A version is cheap to read (many share one statement), a page is not. Either is read from the
 * database after the request came, so that every answer shows what was written before it.
 *
 * `before` and a pageNumber above 1 page through history; lastUpdatedTimestamp means nothing there
 * and is not looked at. A conversation with a user who exists is an empty page before its first
 * message; with one who does not, and where the caller takes no part, it is not found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/cache.h"
#include "api/context.h"
#include "api/known_users.h"
#include "api/user_check.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"
#include "store/conversation.h"
#include "store/mailbox.h"
#include "store/page.h"
#include "store/resource_json.h"

#define PAGE_SIZE_MAX 100
#define CONVERSATIONS_DEFAULT 20
#define MESSAGES_DEFAULT 50
#define PAGE_NUMBER_MAX 1000000
#define TIMESTAMP_MAX ((INT64_C(1) << 53) - 1)
/* A version in quotes. */
#define ETAG_SIZE (PL_ID_TEXT_SIZE + 2)

typedef struct fetch {
    pl_page_key_t key;
    pl_api_t *api;
    pl_request_t *request;
    bool is_reading; /* the page, not the version */
    pl_version_read_t version_read;
    pl_page_read_t page_read;
    pl_user_check_t peer_check;
    pl_conversations_check_t *group_check; /* NULL but for an empty page of a group */
} fetch_t;

static void read_page(fetch_t *fetch);

static fetch_t *fetch_create(pl_api_t *api, pl_request_t *request, const pl_page_key_t *key)
{
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));

    fetch->key = *key;
    fetch->api = api;
    fetch->request = pl_request_ref(request);
    return fetch;
}

static void fetch_destroy(fetch_t *fetch)
{
    pl_page_read_dispose(&fetch->page_read);
    free(fetch->group_check);
    pl_request_on_gone(fetch->request, NULL, NULL);
    pl_request_unref(&fetch->request);
    free(fetch);
}

/* A page that is still in the queue when the client leaves need not be read. */
static void on_gone(pl_request_t *request, void *owner)
{
    fetch_t *fetch = owner;
    (void)request;
    if (fetch->is_reading)
        fetch->page_read.op.abandoned = true;
}

static void submit(fetch_t *fetch, pl_lane_t *lane, pl_op_t *op, void (*on_done)(pl_op_t *op))
{
    op->shard = (int)pl_id_shard(fetch->key.user_id);
    op->deadline_ms = pl_api_deadline_ms(fetch->api);
    op->on_done = on_done;
    if (pl_lane_submit(lane, op) != 0) {
        pl_api_reply_overloaded(fetch->request);
        fetch_destroy(fetch);
    }
}

/* ---- answers ---- */

static void format_etag(char etag[ETAG_SIZE], int64_t version)
{
    (void)snprintf(etag, ETAG_SIZE, "\"%lld\"", (long long)version);
}

/* Gives the reference to the page away. */
static void reply_page(pl_request_t *request, pl_cached_page_t *page)
{
    char etag[ETAG_SIZE];

    format_etag(etag, page->version);
    pl_reply_t reply = {.status = 200, .cache = PL_CACHE_REVALIDATE, .etag = etag};
    pl_request_reply_shared(request, &reply, page->data, page->len, pl_cached_page_unref, page);
}

/* False: the client has no answer of this version. */
static bool reply_not_modified(pl_request_t *request, int64_t version)
{
    char etag[ETAG_SIZE];

    format_etag(etag, version);
    if (!pl_request_has_etag(request, etag))
        return false;
    pl_request_reply_not_modified(request, etag, PL_CACHE_REVALIDATE);
    return true;
}

static void encode(pl_buffer_t *out, const pl_page_read_t *read, const pl_page_t *page,
                   bool is_messages)
{
    pl_message_t message;
    pl_conversation_t conversation;

    pl_json_object_begin(out);
    pl_json_key(out, is_messages ? "messages" : "conversations");
    pl_json_array_begin(out);
    for (size_t i = 0; i < pl_page_length(read); i++) {
        if (is_messages) {
            pl_page_message(read, i, &message);
            pl_message_to_json(out, &message);
        } else {
            pl_page_conversation(read, i, &conversation);
            pl_conversation_to_json(out, &conversation);
        }
    }
    pl_json_array_end(out);
    pl_page_tail_to_json(out, page);
    pl_json_object_end(out);
}

/* Changes since a cursor are asked for once, then the cursor moves on; only the answer that nothing
 * has changed is worth keeping. */
static bool is_cacheable(const pl_page_key_t *key, int64_t version)
{
    return key->since == 0 || key->since == version;
}

static void answer(fetch_t *fetch)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_page_t head;

    if (pl_page_head(&fetch->page_read, &head)) {
        encode(&body, &fetch->page_read, &head, fetch->key.peer_id != 0);
        pl_cached_page_t *page = pl_cached_page_create(&fetch->key, head.version, &body);
        if (is_cacheable(&fetch->key, head.version))
            pl_page_cache_put(fetch->api->cache, page);
        reply_page(fetch->request, page);
    } else {
        pl_api_reply_no_caller(fetch->request);
    }
    fetch_destroy(fetch);
}

/* ---- reading ---- */

static void on_peer_checked(fetch_t *fetch)
{
    if (fetch->peer_check.error != PL_OK) {
        pl_api_reply_error(fetch->request, fetch->peer_check.error);
        fetch_destroy(fetch);
    } else if (fetch->peer_check.exists) {
        answer(fetch);
    } else {
        pl_api_reply_no_conversation(fetch->request);
        fetch_destroy(fetch);
    }
}

static void on_peer_read(pl_user_check_t *check)
{
    on_peer_checked(H2O_STRUCT_FROM_MEMBER(fetch_t, peer_check, check));
}

/* A group's conversation is there for who is or was a member. */
static void on_group_checked(pl_op_t *op)
{
    pl_conversations_check_t *check = H2O_STRUCT_FROM_MEMBER(pl_conversations_check_t, op, op);
    fetch_t *fetch = check->owner;

    if (op->error != PL_OK) {
        pl_api_reply_failure(fetch->request, op);
        fetch_destroy(fetch);
    } else if (check->has[0]) {
        answer(fetch);
    } else {
        pl_api_reply_no_conversation(fetch->request);
        fetch_destroy(fetch);
    }
}

static void check_group(fetch_t *fetch)
{
    pl_conversations_check_t *check = pl_calloc(1, sizeof(*check));

    fetch->group_check = check;
    check->owner = fetch;
    check->user_id = fetch->key.user_id;
    check->peers[0] = fetch->key.peer_id;
    check->count = 1;
    check->op.kind = &pl_conversations_check_kind;
    submit(fetch,
           pl_cluster_read_lane(fetch->api->deps.cluster, (int)pl_id_shard(fetch->key.user_id)),
           &check->op, on_group_checked);
}

static void check_peer(fetch_t *fetch)
{
    if (pl_id_is_group(fetch->key.peer_id)) {
        check_group(fetch);
        return;
    }
    fetch->peer_check.user_id = fetch->key.peer_id;
    fetch->peer_check.on_done = on_peer_read;
    if (pl_user_check_start(fetch->api->user_checks, &fetch->peer_check))
        on_peer_checked(fetch);
}

static void on_page_read(pl_op_t *op)
{
    fetch_t *fetch = H2O_STRUCT_FROM_MEMBER(fetch_t, page_read.op, op);
    pl_page_t head;

    fetch->is_reading = false;
    if (op->error != PL_OK) {
        pl_api_reply_failure(fetch->request, op);
        fetch_destroy(fetch);
        return;
    }
    if (pl_page_head(&fetch->page_read, &head)) {
        pl_known_users_add(fetch->api->known_users, fetch->key.user_id);
        if (fetch->key.peer_id != 0 && pl_page_length(&fetch->page_read) == 0) {
            check_peer(fetch);
            return;
        }
    }
    answer(fetch);
}

static void read_page(fetch_t *fetch)
{
    pl_page_read_t *read = &fetch->page_read;

    read->user_id = fetch->key.user_id;
    read->peer_id = fetch->key.peer_id;
    read->page_size = (int32_t)fetch->key.page_size;
    read->skip = fetch->key.skip;
    read->before = fetch->key.before;
    read->since = fetch->key.since;
    read->op.kind = fetch->key.peer_id != 0 ? &pl_messages_read_kind : &pl_conversations_read_kind;
    pl_page_read_init(read);
    fetch->is_reading = true;
    submit(fetch,
           pl_cluster_read_lane(fetch->api->deps.cluster, (int)pl_id_shard(fetch->key.user_id)),
           &read->op, on_page_read);
}

/* Whether the resource exists, as far as can be told without a read. */
static bool is_known(const fetch_t *fetch)
{
    return fetch->key.peer_id == 0 || pl_page_cache_has(fetch->api->cache, &fetch->key) ||
           pl_known_users_has(fetch->api->known_users, fetch->key.peer_id);
}

static void on_version_read(pl_op_t *op)
{
    fetch_t *fetch = H2O_STRUCT_FROM_MEMBER(fetch_t, version_read.op, op);
    int64_t version = fetch->version_read.version;
    pl_cached_page_t *page;

    if (op->error != PL_OK) {
        pl_api_reply_failure(fetch->request, op);
    } else if (pl_request_is_live(fetch->request) &&
               !(fetch->version_read.found && is_known(fetch) &&
                 reply_not_modified(fetch->request, version))) {
        /* Not found is version 0, which no page has: of a shard that has moved, or nobody. The
         * page's read tells. */
        page = pl_page_cache_get(fetch->api->cache, &fetch->key, version);
        if (page == NULL) {
            read_page(fetch);
            return;
        }
        reply_page(fetch->request, page);
    }
    fetch_destroy(fetch);
}

static void fetch_begin(fetch_t *fetch)
{
    pl_request_on_gone(fetch->request, on_gone, fetch);
    if (pl_page_cache_has(fetch->api->cache, &fetch->key) ||
        pl_request_header(fetch->request, "if-none-match").data != NULL) {
        fetch->version_read.user_id = fetch->key.user_id;
        fetch->version_read.op.kind = &pl_version_check_kind;
        submit(fetch, pl_cluster_check_lane(fetch->api->deps.cluster, fetch->key.user_id),
               &fetch->version_read.op, on_version_read);
    } else {
        read_page(fetch);
    }
}

/* ---- requests ---- */

/* fetchConversation knows those before BEFORE. */
enum { PAGE_SIZE, PAGE_NUMBER, SINCE, BEFORE, PARAMETERS };

/* `count` of the parameters are known to the operation. -1: answered. */
static int decode_query(pl_request_t *request, size_t count, int64_t default_size,
                        pl_page_key_t *key)
{
    pl_query_parameter_t parameters[PARAMETERS] = {
        [PAGE_SIZE] = {.name = "pageSize"},
        [PAGE_NUMBER] = {.name = "pageNumber"},
        [SINCE] = {.name = "lastUpdatedTimestamp"},
        [BEFORE] = {.name = "before"},
    };
    int64_t page_number;

    if (pl_request_query(request, parameters, count) != 0 ||
        pl_request_query_integer(request, &parameters[PAGE_SIZE], 1, PAGE_SIZE_MAX, default_size,
                                 &key->page_size) != 0 ||
        pl_request_query_integer(request, &parameters[PAGE_NUMBER], 1, PAGE_NUMBER_MAX, 1,
                                 &page_number) != 0 ||
        pl_request_query_integer(request, &parameters[SINCE], 0, TIMESTAMP_MAX, 0, &key->since) !=
            0 ||
        pl_request_query_integer(request, &parameters[BEFORE], 1, INT64_MAX, 0, &key->before) != 0)
        return -1;
    key->skip = (page_number - 1) * key->page_size;
    if (key->skip > 0 || key->before > 0)
        key->since = 0;
    return 0;
}

static void on_fetch_conversation(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_page_key_t key = {.user_id = pl_api_caller(api, request)};

    if (key.user_id != 0 && decode_query(request, BEFORE, CONVERSATIONS_DEFAULT, &key) == 0)
        fetch_begin(fetch_create(api, request, &key));
}

static void on_fetch_messages(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_page_key_t key = {.user_id = pl_api_caller(api, request)};

    if (key.user_id == 0 || decode_query(request, PARAMETERS, MESSAGES_DEFAULT, &key) != 0)
        return;
    key.peer_id = pl_api_peer_of(pl_request_path_parameter(request, 0), key.user_id);
    if (key.peer_id == 0) {
        pl_api_reply_no_conversation(request);
        return;
    }
    fetch_begin(fetch_create(api, request, &key));
}

const pl_route_t pl_api_conversations_routes[] = {
    {"fetchConversation", "GET", "/v1/conversations", on_fetch_conversation, 0},
    {"fetchMessages", "GET", "/v1/conversations/{conversationId}/messages", on_fetch_messages, 0},
};
const size_t pl_api_conversations_routes_count = sizeof(pl_api_conversations_routes) /
                                                 sizeof(pl_api_conversations_routes[0]);
