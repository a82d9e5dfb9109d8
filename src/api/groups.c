/* createGroup, fetchGroup, updateGroup, fetchGroupMembers, addGroupMembers, removeGroupMember and
 * updateGroupMember. */
#include <string.h>

#include "api/body.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/user_lists.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/text.h"
#include "core/group.h"
#include "http/problem.h"

/* ---- answers ---- */

static void reply_failure(pl_request_t *request, const pl_group_result_t *result,
                          const char *users_pointer)
{
    if (result->outcome.code == PL_OUTCOME_MEMBER_UNKNOWN)
        pl_problem_reply_field(request, users_pointer, "no user has the id %lld",
                               (long long)result->unknown_id);
    else
        pl_api_reply_outcome(request, &result->outcome);
}

/* A Group of the contract; with the invited users if the request has named users. */
static void reply_group(pl_request_t *request, const pl_group_result_t *result, int status)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->invited_len == 0) {
        pl_buffer_append(&body, result->json, result->json_len);
    } else {
        pl_buffer_append(&body, result->json, result->json_len - 1);
        pl_json_key(&body, "invited");
        pl_buffer_append(&body, result->invited, result->invited_len);
        pl_json_object_end(&body);
    }
    pl_request_reply(request, &(pl_reply_t){.status = status}, &body);
}

static void on_created(const pl_group_result_t *result, void *owner)
{
    pl_request_t *request = owner;

    if (result->outcome.code == PL_OUTCOME_DONE)
        reply_group(request, result, 201);
    else if (result->outcome.code == PL_OUTCOME_DUPLICATE)
        reply_group(request, result, 200);
    else
        reply_failure(request, result, "/memberIds");
    pl_request_unref(&request);
}

static void on_group(const pl_group_result_t *result, void *owner)
{
    pl_request_t *request = owner;

    if (result->outcome.code == PL_OUTCOME_DONE)
        reply_group(request, result, 200);
    else
        reply_failure(request, result, "/userIds");
    pl_request_unref(&request);
}

static void on_removed(const pl_group_result_t *result, void *owner)
{
    pl_api_finish_no_content(owner, &result->outcome);
}

/* ---- decoding ---- */

/* The name and the topic. An absent one stays NULL. */
static void decode_texts(const pl_json_t *json, bool must_have_name, pl_group_change_order_t *order,
                         pl_refusal_t *refusal)
{
    if (pl_body_text(json, "name", must_have_name, &order->name, &order->name_len, refusal) &&
        (order->name_len == 0 || pl_utf8_length(order->name, order->name_len) > PL_GROUP_NAME_MAX))
        pl_body_wrong(refusal, "name", "must be 1 to %d characters", PL_GROUP_NAME_MAX);
    if (pl_body_text(json, "topic", false, &order->topic, &order->topic_len, refusal) &&
        pl_utf8_length(order->topic, order->topic_len) > PL_GROUP_TOPIC_MAX)
        pl_body_wrong(refusal, "topic", "must be at most %d characters", PL_GROUP_TOPIC_MAX);
}

static void decode_metadata(const pl_request_t *request, const pl_json_t *json,
                            pl_group_change_order_t *order, pl_buffer_t *metadata,
                            pl_refusal_t *refusal)
{
    pl_slice_t body = pl_request_body(request);

    pl_body_metadata(body.data, body.len, json, metadata, refusal);
    order->metadata = metadata->data;
    order->metadata_len = metadata->len;
}

static void decode_client_group_id(const pl_json_t *json, pl_group_change_order_t *order,
                                   pl_refusal_t *refusal)
{
    if (pl_body_text(json, "clientGroupId", true, &order->client_group_id,
                     &order->client_group_id_len, refusal) &&
        (order->client_group_id_len == 0 || order->client_group_id_len > PL_CLIENT_GROUP_ID_MAX ||
         !pl_ascii_is_printable(order->client_group_id, order->client_group_id_len)))
        pl_body_wrong(refusal, "clientGroupId", "must be 1 to %d printable ASCII characters",
                      PL_CLIENT_GROUP_ID_MAX);
}

static void decode_ids(const pl_json_t *json, const char *key, bool may_be_empty,
                       int64_t ids[PL_GROUP_MEMBERS_MAX], size_t *count, pl_refusal_t *refusal)
{
    const char *texts[PL_GROUP_MEMBERS_MAX];

    if (pl_json_get_strings(json, key, texts, PL_GROUP_MEMBERS_MAX, count) != 1) {
        pl_body_wrong(refusal, key, "must be an array of at most %d userIds", PL_GROUP_MEMBERS_MAX);
        return;
    }
    if (!may_be_empty && *count == 0)
        pl_body_wrong(refusal, key, "must name a user");
    for (size_t i = 0; i < *count; i++)
        if (pl_id_parse(texts[i], strlen(texts[i]), &ids[i]) != 0) {
            pl_body_wrong(refusal, key, "must be an array of userIds");
            return;
        }
}

/* The group that the path names. False: the request is answered. */
static bool decode_group_id(const pl_api_t *api, pl_request_t *request, int64_t *group_id_r)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);

    if (pl_id_parse(text.data, text.len, group_id_r) == 0 && pl_id_is_group(*group_id_r) &&
        pl_cluster_can_have_id(api->core->deps.cluster, *group_id_r))
        return true;
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_GROUP_NOT_FOUND});
    return false;
}

/* The caller and the group, for a request without a query. False: the request is answered. */
static bool decode_group(const pl_api_t *api, pl_request_t *request, pl_group_change_order_t *order)
{
    order->actor_id = pl_api_caller(api, request);
    return order->actor_id != 0 && pl_request_query(request, NULL, 0) == 0 &&
           decode_group_id(api, request, &order->group_id);
}

/* The same, with the member in the path. */
static bool decode_member(const pl_api_t *api, pl_request_t *request,
                          pl_group_change_order_t *order)
{
    pl_slice_t text = pl_request_path_parameter(request, 1);

    if (!decode_group(api, request, order))
        return false;
    if (pl_id_parse(text.data, text.len, &order->member_id) == 0)
        return true;
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_MEMBER_NOT_FOUND});
    return false;
}

/* The body, in which only those keys are allowed. NULL: it is no JSON object, and the request is
 * answered. The caller frees it. */
static pl_json_t *parse_body(pl_request_t *request, const char *const *keys, pl_refusal_t *refusal)
{
    pl_slice_t body = pl_request_body(request);
    pl_json_t *json = NULL;

    pl_refusal_init(refusal);
    if (pl_body_parse(body.data, body.len, &json, refusal) != 0)
        pl_refusal_reply(request, refusal);
    else
        pl_body_keys(json, keys, refusal);
    return json;
}

/* Makes the change, unless the fields are wrong. */
static void change(const pl_api_t *api, pl_request_t *request, pl_refusal_t *refusal,
                   const pl_group_change_order_t *order, pl_group_done_fn on_done)
{
    if (refusal->fields.count > 0) {
        (void)!pl_refuse_fields(refusal);
        pl_refusal_reply(request, refusal);
        return;
    }
    pl_group_change_start(api->core, order, on_done, pl_request_ref(request));
}

/* ---- requests ---- */

void pl_on_create_group(pl_request_t *request, void *worker)
{
    static const char *const keys[] = {"name",          "topic",    "memberIds",
                                       "clientGroupId", "metadata", NULL};
    pl_buffer_t metadata = PL_BUFFER_EMPTY;
    pl_group_change_order_t order = {.kind = PL_GROUP_CREATE};
    int64_t ids[PL_GROUP_MEMBERS_MAX];
    pl_refusal_t refusal;
    pl_json_t *json;

    order.actor_id = pl_api_caller(worker, request);
    if (order.actor_id == 0 || pl_request_query(request, NULL, 0) != 0 ||
        (json = parse_body(request, keys, &refusal)) == NULL)
        return;
    order.user_ids = ids;
    decode_texts(json, true, &order, &refusal);
    decode_ids(json, "memberIds", true, ids, &order.users_count, &refusal);
    decode_client_group_id(json, &order, &refusal);
    decode_metadata(request, json, &order, &metadata, &refusal);
    change(worker, request, &refusal, &order, on_created);
    pl_buffer_dispose(&metadata);
    pl_json_free(&json);
}

void pl_on_fetch_group(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_group_change_order_t order;

    if (decode_group(api, request, &order))
        pl_api_abandon_with(request, pl_group_fetch_start(api->core, order.group_id, order.actor_id,
                                                          on_group, pl_request_ref(request)));
}

void pl_on_update_group(pl_request_t *request, void *worker)
{
    static const char *const keys[] = {"name", "topic", "metadata", NULL};
    pl_buffer_t metadata = PL_BUFFER_EMPTY;
    pl_group_change_order_t order = {.kind = PL_GROUP_UPDATE};
    pl_refusal_t refusal;
    pl_json_t *json;

    if (!decode_group(worker, request, &order) ||
        (json = parse_body(request, keys, &refusal)) == NULL)
        return;
    decode_texts(json, false, &order, &refusal);
    decode_metadata(request, json, &order, &metadata, &refusal);
    if (refusal.fields.count == 0 && order.name == NULL && order.topic == NULL &&
        order.metadata == NULL)
        pl_problem_fields_add(&refusal.fields, "",
                              "must have at least one of name, topic and metadata");
    change(worker, request, &refusal, &order, on_group);
    pl_buffer_dispose(&metadata);
    pl_json_free(&json);
}

void pl_on_fetch_group_members(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_user_list_order_t order = {.kind = PL_USER_LIST_MEMBERS,
                                  .actor_id = pl_api_caller(api, request)};

    if (order.actor_id != 0 && pl_user_lists_decode(request, &order) == 0 &&
        decode_group_id(api, request, &order.peer_id))
        pl_user_lists_answer(api, request, &order);
}

void pl_on_add_group_members(pl_request_t *request, void *worker)
{
    static const char *const keys[] = {"userIds", NULL};
    pl_group_change_order_t order = {.kind = PL_GROUP_ADD};
    int64_t ids[PL_GROUP_MEMBERS_MAX];
    pl_refusal_t refusal;
    pl_json_t *json;

    if (!decode_group(worker, request, &order) ||
        (json = parse_body(request, keys, &refusal)) == NULL)
        return;
    order.user_ids = ids;
    decode_ids(json, "userIds", false, ids, &order.users_count, &refusal);
    change(worker, request, &refusal, &order, on_group);
    pl_json_free(&json);
}

void pl_on_remove_group_member(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_group_change_order_t order = {.kind = PL_GROUP_REMOVE};

    if (decode_member(api, request, &order))
        pl_group_change_start(api->core, &order, on_removed, pl_request_ref(request));
}

static void decode_role(const pl_json_t *json, pl_group_change_order_t *order,
                        pl_refusal_t *refusal)
{
    const char *role;
    size_t len;

    if (!pl_body_text(json, "role", true, &role, &len, refusal))
        return;
    if (strcmp(role, "admin") == 0)
        order->role = "admin";
    else if (strcmp(role, "member") == 0)
        order->role = "member";
    else
        pl_body_wrong(refusal, "role", "must be admin or member");
}

void pl_on_update_group_member(pl_request_t *request, void *worker)
{
    static const char *const keys[] = {"role", NULL};
    pl_group_change_order_t order = {.kind = PL_GROUP_SET_ROLE};
    pl_refusal_t refusal;
    pl_json_t *json;

    if (!decode_member(worker, request, &order) ||
        (json = parse_body(request, keys, &refusal)) == NULL)
        return;
    decode_role(json, &order, &refusal);
    change(worker, request, &refusal, &order, on_group);
    pl_json_free(&json);
}
