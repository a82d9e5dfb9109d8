#include "core/page_fetch.h"

#include <stdlib.h>

#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/known_users.h"
#include "store/conversation.h"
#include "store/mailbox.h"
#include "store/page.h"
#include "store/resource_json.h"

typedef struct fetch {
    pl_flow_t flow;
    pl_page_order_t order;
    pl_page_done_fn on_done;
    void *owner;
    int64_t version;
    pl_cached_page_t *page;
    pl_version_read_t version_read;
    pl_page_read_t page_read;
    pl_conversations_check_t *group_check; /* NULL but for an empty page of a group */
} fetch_t;

static fetch_t *fetch_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(fetch_t, flow, flow);
}

/* ---- version ---- */

static pl_turn_t read_version(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    pl_version_read_t *read = &fetch->version_read;
    int64_t user_id = fetch->order.key.user_id;

    if (fetch->order.has_version == NULL &&
        !pl_page_cache_has(flow->core->pages, &fetch->order.key))
        return PL_TURN_NEXT;
    read->user_id = user_id;
    read->op.kind = &pl_version_check_kind;
    read->op.shard = (int)pl_id_shard(user_id);
    return pl_flow_submit(flow, pl_cluster_check_lane(flow->core->deps.cluster, user_id),
                          &read->op);
}

/* Whether the resource exists, as far as can be told without a read. */
static bool is_known(const fetch_t *fetch)
{
    const pl_core_t *core = fetch->flow.core;
    const pl_page_key_t *key = &fetch->order.key;

    return key->peer_id == 0 || pl_page_cache_has(core->pages, key) ||
           pl_known_users_has(core->known_users, key->peer_id);
}

/* A mailbox that was not found has version 0, which no page has: its shard has moved, or there is
 * no such user. The page's read tells. */
static pl_turn_t judge_version(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    const pl_page_order_t *order = &fetch->order;

    fetch->version = fetch->version_read.version;
    if (fetch->version_read.found && order->has_version != NULL && is_known(fetch) &&
        order->has_version(fetch->owner, fetch->version))
        return PL_TURN_END;
    fetch->page = pl_page_cache_get(flow->core->pages, &order->key, fetch->version);
    return fetch->page != NULL ? PL_TURN_END : PL_TURN_NEXT;
}

/* ---- page ---- */

static pl_turn_t read_page(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    const pl_page_key_t *key = &fetch->order.key;
    pl_page_read_t *read = &fetch->page_read;

    read->user_id = key->user_id;
    read->peer_id = key->peer_id;
    read->page_size = (int32_t)key->page_size;
    read->skip = key->skip;
    read->before = key->before;
    read->since = key->since;
    read->op.kind = key->peer_id != 0 ? &pl_messages_read_kind : &pl_conversations_read_kind;
    pl_page_read_init(read);
    read->op.shard = (int)pl_id_shard(key->user_id);
    return pl_flow_read(flow, &read->op);
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

static pl_turn_t make_page(fetch_t *fetch, const pl_page_t *head)
{
    const pl_page_key_t *key = &fetch->order.key;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    encode(&body, &fetch->page_read, head, key->peer_id != 0);
    fetch->version = head->version;
    fetch->page = pl_cached_page_create(key, head->version, &body);
    if (is_cacheable(key, head->version))
        pl_page_cache_put(fetch->flow.core->pages, fetch->page);
    return PL_TURN_END;
}

static pl_turn_t judge_page(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);
    const pl_page_key_t *key = &fetch->order.key;
    pl_page_t head;

    if (!pl_page_head(&fetch->page_read, &head))
        return pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
    pl_known_users_add(flow->core->known_users, key->user_id);
    if (key->peer_id != 0 && pl_page_length(&fetch->page_read) == 0)
        return PL_TURN_NEXT;
    return make_page(fetch, &head);
}

/* ---- check-peer ---- */

/* A group's conversation is there for present and past members. */
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
    return make_page(fetch, &head);
}

static const pl_step_t steps[] = {
    {"version", read_version, .judge = judge_version},
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
