#include "core/page_fetch.h"

#include <stdlib.h>

#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/ending.h"
#include "core/known_users.h"
#include "core/page_cursor.h"
#include "core/session_answers.h"
#include "store/conversation.h"
#include "store/mailbox.h"
#include "store/page.h"
#include "store/resource_json.h"
#include "store/session.h"

typedef struct fetch {
    pl_flow_t flow;
    pl_page_order_t order;
    pl_page_done_fn on_done;
    void *owner;
    int64_t version;
    pl_cached_page_t *page;
    pl_version_read_t version_read;
    pl_session_check_t session_check;
    pl_page_read_t page_read;
    pl_conversations_check_t *group_check; /* NULL but for an empty page of a group */
} fetch_t;

static fetch_t *fetch_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(fetch_t, flow, flow);
}

/* ---- version ---- */

/* Whether the resource is known to exist without a read. A message may have been deleted with its
 * conversation. */
static bool is_known(const fetch_t *fetch)
{
    const pl_core_t *core = fetch->flow.core;
    const pl_page_key_t *key = &fetch->order.key;

    switch ((enum pl_page_kind)key->kind) {
    case PL_PAGE_CONVERSATIONS:
        return true;
    case PL_PAGE_MESSAGES:
        return pl_page_cache_has(core->pages, key) ||
               pl_known_users_has(core->known_users, key->peer_id);
    case PL_PAGE_MESSAGE:
    case PL_PAGE_CONVERSATION:
        break;
    }
    return false;
}

static bool caller_has(const fetch_t *fetch)
{
    const pl_page_order_t *order = &fetch->order;

    return order->has_version != NULL && order->has_version(fetch->owner, fetch->version);
}

/* The page is found: it is the answer, unless the caller has it already. */
static pl_turn_t answer(fetch_t *fetch)
{
    if (caller_has(fetch)) {
        pl_cached_page_unref(fetch->page);
        fetch->page = NULL;
    }
    return PL_TURN_END;
}

static pl_turn_t read_version(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    pl_version_read_t *read = &fetch->version_read;
    int64_t user_id = fetch->order.key.user_id;
    bool may_be_unchanged = fetch->order.has_version != NULL && is_known(fetch);

    if (!may_be_unchanged && !pl_page_cache_has(flow->core->pages, &fetch->order.key))
        return PL_TURN_NEXT;
    read->user_id = user_id;
    read->op.kind = &pl_version_check_kind;
    read->op.shard = (int)pl_id_shard(user_id);
    return pl_flow_submit(flow, pl_cluster_check_lane(flow->core->deps.cluster, user_id),
                          &read->op);
}

/* Whether the bearer's session has to be read: it may have ended. */
static bool is_in_doubt(const fetch_t *fetch)
{
    const pl_core_t *core = fetch->flow.core;
    const pl_token_claims_t *bearer = &fetch->order.bearer;
    int64_t epoch = fetch->version_read.auth_epoch;

    return epoch != 0 && !pl_endings_is_after(core->deps.endings, bearer, epoch) &&
           !pl_session_answers_has(core->session_answers, bearer, epoch);
}

/* The version is known, and the bearer's session is open. A mailbox that was not found has version
 * 0, which no page has: its shard has moved, or the user does not exist. The read of the page finds
 * out. */
static pl_turn_t serve(fetch_t *fetch)
{
    pl_flow_t *flow = &fetch->flow;

    if (fetch->version_read.found && is_known(fetch) && caller_has(fetch))
        return PL_TURN_END;
    fetch->page = pl_page_cache_get(flow->core->pages, &fetch->order.key, fetch->version);
    return fetch->page != NULL ? answer(fetch) : PL_TURN_NEXT;
}

static pl_turn_t judge_version(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);

    fetch->version = fetch->version_read.version;
    return is_in_doubt(fetch) ? PL_TURN_NEXT : serve(fetch);
}

/* ---- session ---- */

static pl_turn_t check_session(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    pl_session_check_t *check = &fetch->session_check;

    if (!is_in_doubt(fetch))
        return PL_TURN_NEXT;
    check->user_id = fetch->order.bearer.user_id;
    check->session_id = fetch->order.bearer.session_id;
    check->op.kind = &pl_session_check_kind;
    check->op.shard = (int)pl_id_shard(check->user_id);
    check->op.user_id = check->user_id;
    return pl_flow_read(flow, &check->op);
}

/* From now on the token is refused in memory. */
static pl_turn_t refuse(fetch_t *fetch)
{
    const pl_core_deps_t *deps = &fetch->flow.core->deps;
    const pl_session_check_t *check = &fetch->session_check;
    bool has_session = check->session_id != 0;

    pl_ending_announce(
        deps->endings, pl_hub_local_hub(deps->hub),
        &(pl_ending_t){
            .user_id = check->user_id,
            .session_id = check->session_id,
            .ended_us = has_session ? fetch->version_read.auth_epoch : check->tokens_us,
            .tokens_us = has_session ? 0 : check->tokens_us,
        });
    return pl_flow_end(&fetch->flow, PL_OUTCOME_SESSION_ENDED);
}

static pl_turn_t judge_session(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    const pl_session_check_t *check = &fetch->session_check;
    const pl_token_claims_t *bearer = &fetch->order.bearer;
    bool is_good = check->session_id != 0
                       ? check->is_open
                       : check->tokens_us == 0 || pl_endings_is_after(flow->core->deps.endings,
                                                                      bearer, check->tokens_us);

    if (!is_good)
        return refuse(fetch);
    pl_session_answers_add(flow->core->session_answers, bearer, fetch->version_read.auth_epoch);
    return serve(fetch);
}

/* ---- page ---- */

static const pl_op_kind_t *const read_kinds[] = {
    [PL_PAGE_CONVERSATIONS] = &pl_conversations_read_kind,
    [PL_PAGE_MESSAGES] = &pl_messages_read_kind,
    [PL_PAGE_MESSAGE] = &pl_messages_read_kind,
    [PL_PAGE_CONVERSATION] = &pl_conversation_read_kind,
};

/* The exclusive upper bound of the ids up to this one; 0: none. */
static int64_t bound_above(int64_t message_id)
{
    return message_id < INT64_MAX ? message_id + 1 : 0;
}

/* The range of messages that the read gets: one or more. On a side where it gets none, it reads one
 * row, to find out whether there are more. */
static void set_range(pl_page_read_t *read, const pl_page_key_t *key)
{
    int32_t page_size = (int32_t)key->page_size;

    if (key->kind == PL_PAGE_MESSAGE) {
        read->before = bound_above(key->message_id);
    } else if (key->kind == PL_PAGE_CONVERSATIONS) {
        read->before = key->before;
    } else if (key->before != 0) {
        read->before = key->before;
        read->after = key->before - 1;
        read->newer_limit = 1;
    } else if (key->after != 0) {
        read->before = bound_above(key->after);
        read->page_size = 0;
        read->after = key->after;
        read->newer_limit = page_size + 1;
    } else if (key->around != 0) {
        read->before = bound_above(key->around);
        read->page_size = page_size - page_size / 2;
        read->after = key->around;
        read->newer_limit = page_size / 2 + 1;
    }
}

static pl_turn_t read_page(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    const pl_page_key_t *key = &fetch->order.key;
    pl_page_read_t *read = &fetch->page_read;

    read->user_id = key->user_id;
    read->peer_id = key->peer_id;
    read->page_size = (int32_t)key->page_size;
    read->skip = key->skip;
    read->since = key->since;
    set_range(read, key);
    read->op.kind = read_kinds[key->kind];
    pl_page_read_init(read);
    read->op.shard = (int)pl_id_shard(key->user_id);
    read->op.user_id = key->user_id;
    return pl_flow_read(flow, &read->op);
}

static void encode_row(pl_buffer_t *out, const pl_page_read_t *read, size_t index)
{
    pl_message_t message;
    pl_conversation_t conversation;

    if (read->op.kind == &pl_messages_read_kind) {
        pl_page_message(read, index, &message);
        pl_message_to_json(out, &message);
    } else {
        pl_page_conversation(read, index, &conversation);
        pl_conversation_to_json(out, &conversation);
    }
}

/* hasMoreBefore and hasMoreAfter of a page of history. Deltas do not have them, nor do pages by
 * their number, which move with each new message. */
static void sides_to_json(pl_buffer_t *out, const pl_page_t *page)
{
    pl_json_key(out, "hasMoreBefore");
    pl_json_bool(out, page->has_more);
    pl_json_key(out, "hasMoreAfter");
    pl_json_bool(out, page->has_more_after);
}

/* The place of the last conversation in the list. It is the same page whatever comes meanwhile. */
static void next_cursor_to_json(pl_buffer_t *out, const pl_page_read_t *read)
{
    char text[PL_PAGE_CURSOR_SIZE];
    pl_conversation_t last;

    pl_page_conversation(read, pl_page_length(read) - 1, &last);
    pl_page_cursor_format(text, last.last_message_id, last.peer_id);
    pl_json_key(out, "nextCursor");
    pl_json_text(out, text);
}

static void encode_list(pl_buffer_t *out, const pl_page_read_t *read, const pl_page_t *page,
                        const pl_page_key_t *key)
{
    bool is_messages = key->kind == PL_PAGE_MESSAGES;

    pl_json_object_begin(out);
    pl_json_key(out, is_messages ? "messages" : "conversations");
    pl_json_array_begin(out);
    for (size_t i = 0; i < pl_page_length(read); i++)
        encode_row(out, read, i);
    pl_json_array_end(out);
    pl_page_tail_to_json(out, page);
    if (is_messages && !page->is_delta && key->skip == 0)
        sides_to_json(out, page);
    if (!is_messages && page->has_more)
        next_cursor_to_json(out, read);
    pl_json_object_end(out);
}

/* A delta is requested once, and then the cursor advances. So only an empty delta is worth
 * caching. */
static bool is_cacheable(const pl_page_key_t *key, int64_t version)
{
    return key->since == 0 || key->since == version;
}

/* An equal read of the same batch, or of one just before it, may have made the page already. */
static bool find_made(fetch_t *fetch)
{
    const pl_page_key_t *key = &fetch->order.key;

    if (is_cacheable(key, fetch->version))
        fetch->page = pl_page_cache_get(fetch->flow.core->pages, key, fetch->version);
    return fetch->page != NULL;
}

static pl_turn_t make_page(fetch_t *fetch, const pl_page_t *head)
{
    const pl_page_key_t *key = &fetch->order.key;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    fetch->version = head->version;
    if (find_made(fetch))
        return answer(fetch);
    if (key->kind == PL_PAGE_MESSAGE || key->kind == PL_PAGE_CONVERSATION)
        encode_row(&body, &fetch->page_read, 0);
    else
        encode_list(&body, &fetch->page_read, head, key);
    fetch->page = pl_cached_page_create(key, head->version, &body);
    if (is_cacheable(key, head->version))
        pl_page_cache_put(fetch->flow.core->pages, fetch->page);
    return answer(fetch);
}

/* Whether the rows show that the resource exists. A page without rows may be of a conversation that
 * does not exist. For one message, the row may be that of an earlier message. */
static bool is_found(const fetch_t *fetch, const pl_page_t *head)
{
    const pl_page_key_t *key = &fetch->order.key;
    bool has_rows = pl_page_length(&fetch->page_read) > 0;
    pl_message_t message;

    switch ((enum pl_page_kind)key->kind) {
    case PL_PAGE_CONVERSATIONS:
        return true;
    case PL_PAGE_MESSAGES:
        return has_rows || head->has_more || head->has_more_after;
    case PL_PAGE_CONVERSATION:
        return has_rows;
    case PL_PAGE_MESSAGE:
        break;
    }
    if (!has_rows)
        return false;
    pl_page_message(&fetch->page_read, 0, &message);
    return message.message_id == key->message_id;
}

/* The page replaces the client's view, as if there were too many changes. */
static pl_turn_t read_newest(fetch_t *fetch)
{
    pl_page_read_dispose(&fetch->page_read);
    fetch->order.key.since = 0;
    return PL_TURN_AGAIN;
}

static pl_turn_t judge_page(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    pl_page_t head;

    if (!pl_page_head(&fetch->page_read, &head))
        return pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
    pl_known_users_add(flow->core->known_users, fetch->order.key.user_id);
    if (fetch->page_read.is_too_large)
        return read_newest(fetch);
    if (is_found(fetch, &head))
        return make_page(fetch, &head);
    if (fetch->order.key.kind == PL_PAGE_CONVERSATION)
        return pl_flow_end(flow, PL_OUTCOME_CONVERSATION_NOT_FOUND);
    return PL_TURN_NEXT;
}

/* ---- check-peer ---- */

/* A group's conversation exists for present and former members. */
static pl_turn_t check_group(fetch_t *fetch)
{
    const pl_page_key_t *key = &fetch->order.key;
    pl_conversations_check_t *check = pl_calloc(1, sizeof(*check));

    fetch->group_check = check;
    check->user_id = key->user_id;
    check->peers[0] = key->peer_id;
    check->count = 1;
    check->op.kind = &pl_conversations_check_kind;
    check->op.shard = (int)pl_id_shard(key->user_id);
    check->op.user_id = key->user_id;
    return pl_flow_read(&fetch->flow, &check->op);
}

static pl_turn_t check_peer(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    int64_t peer_id = fetch->order.key.peer_id;

    return pl_id_is_group(peer_id) ? check_group(fetch) : pl_flow_check_user(flow, peer_id);
}

static pl_turn_t judge_peer(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    bool exists = fetch->group_check != NULL ? fetch->group_check->has[0] : flow->exists;
    pl_page_t head;

    if (!exists || !pl_page_head(&fetch->page_read, &head))
        return pl_flow_end(flow, PL_OUTCOME_CONVERSATION_NOT_FOUND);
    if (fetch->order.key.kind == PL_PAGE_MESSAGE)
        return pl_flow_end(flow, PL_OUTCOME_MESSAGE_NOT_FOUND);
    return make_page(fetch, &head);
}

static const pl_step_t steps[] = {
    {"version", read_version, .judge = judge_version},
    {"session", check_session, .judge = judge_session},
    {"page", read_page, .judge = judge_page},
    {"check-peer", check_peer, .judge = judge_peer},
    {.name = NULL},
};

static void on_end(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);

    fetch->on_done(
        &(pl_page_result_t){
            .outcome = flow->outcome,
            .version = fetch->version,
            .page = fetch->page,
        },
        fetch->owner);
    pl_page_read_dispose(&fetch->page_read);
    free(fetch->group_check);
    free(fetch);
}

pl_flow_t *pl_page_fetch_start(pl_core_t *core, const pl_page_order_t *order,
                               pl_page_done_fn on_done, void *owner)
{
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));

    fetch->order = *order;
    fetch->on_done = on_done;
    fetch->owner = owner;
    pl_flow_start(&fetch->flow, core, steps, on_end);
    return &fetch->flow;
}
