/*
 * createGroup, fetchGroup, updateGroup, addGroupMembers, removeGroupMember, updateGroupMember.
 *
 *   decoded -> the users that it names exist? -> changed in the group's home -> read -> answered
 *
 * Who may do what is decided with the change, in the group's own mailbox
 * (sql/shard/change_group_*): nothing that was true before is believed. That a user exists stays
 * true but for an erasure, which leaves a group a member who takes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "api/actor_check.h"
#include "api/change_flow.h"
#include "api/refusal.h"
#include "api/send_input.h"
#include "api/user_check.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/problem.h"
#include "store/group.h"

#define NAME_MAX_CODE_POINTS 100

/* ---- the group, read ---- */

typedef struct fetch {
    pl_group_read_t read;
    pl_actor_check_t caller_check;
    pl_api_t *api;
    pl_request_t *request;
    int status;
    bool is_after_change; /* which has been made, whatever becomes of this */
} fetch_t;

static void fetch_destroy(fetch_t *fetch)
{
    pl_request_unref(&fetch->request);
    free(fetch->read.json);
    free(fetch);
}

static void on_group_read(pl_op_t *op)
{
    fetch_t *fetch = H2O_STRUCT_FROM_MEMBER(fetch_t, read.op, op);
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_reply_t reply = {.status = fetch->status};

    if (op->error != PL_OK && fetch->is_after_change) {
        pl_api_reply_error(fetch->request, PL_ERROR_OUTCOME_UNKNOWN);
    } else if (op->error != PL_OK) {
        pl_api_reply_failure(fetch->request, op);
    } else if (fetch->read.json == NULL) {
        pl_problem_reply(fetch->request, PL_PROBLEM_GROUP_NOT_FOUND,
                         "The caller is in no such group.");
    } else {
        pl_buffer_append(&body, fetch->read.json, fetch->read.json_len);
        pl_request_reply(fetch->request, &reply, &body);
    }
    fetch_destroy(fetch);
}

static fetch_t *fetch_create(pl_api_t *api, pl_request_t *request, int64_t group_id, int status)
{
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));
    pl_group_read_t *read = &fetch->read;

    fetch->api = api;
    fetch->request = pl_request_ref(request);
    fetch->status = status;
    read->group_id = group_id;
    read->caller_id = pl_request_claims(request)->user_id;
    read->op.kind = &pl_group_read_kind;
    read->op.shard = (int)pl_id_shard(group_id);
    read->op.on_done = on_group_read;
    return fetch;
}

static void read_group(fetch_t *fetch)
{
    pl_op_t *op = &fetch->read.op;

    op->deadline_ms = pl_api_deadline_ms(fetch->api);
    if (pl_lane_submit(pl_cluster_read_lane(fetch->api->deps.cluster, op->shard), op) != 0)
        pl_op_refuse(op);
}

/* Who was erased may still be a member for a moment. */
static void on_caller_checked(fetch_t *fetch)
{
    if (fetch->caller_check.result != PL_ACTOR_NOBODY) {
        read_group(fetch);
    } else {
        pl_api_reply_no_caller(fetch->request);
        fetch_destroy(fetch);
    }
}

static void on_caller_read(pl_actor_check_t *check)
{
    on_caller_checked(H2O_STRUCT_FROM_MEMBER(fetch_t, caller_check, check));
}

static void check_caller(fetch_t *fetch)
{
    fetch->caller_check.user_id = fetch->read.caller_id;
    fetch->caller_check.on_done = on_caller_read;
    if (pl_actor_check_start(fetch->api, &fetch->caller_check))
        on_caller_checked(fetch);
}

/* ---- a change ---- */

/* What a request wants changed, and the users that it names. */
typedef struct command {
    pl_api_t *api;
    pl_request_t *request;
    const char *kind;
    int64_t group_id;
    int64_t mailbox_id; /* of the group; of a creation the creator's */
    const char *field;  /* of the body, that names the users */
    bool is_silent;     /* answered with 204 */
    bool is_self;       /* a removal of the caller's own */
    pl_buffer_t argument;
    size_t checks_open;
    enum pl_error_code error;
    int64_t unknown_id;
    size_t users_count;
    struct user {
        pl_user_check_t check;
        struct command *command;
    } users[];
} command_t;

static command_t *command_create(pl_api_t *api, pl_request_t *request, const char *kind,
                                 int64_t group_id, size_t users_max)
{
    command_t *command = pl_calloc(1, sizeof(*command) + users_max * sizeof(struct user));

    command->api = api;
    command->request = pl_request_ref(request);
    command->kind = kind;
    command->group_id = group_id;
    command->mailbox_id = group_id;
    return command;
}

static void command_destroy(command_t *command)
{
    pl_request_unref(&command->request);
    pl_buffer_dispose(&command->argument);
    free(command);
}

/* What a flow keeps of a command for its answer. */
typedef struct outcome {
    pl_api_t *api;
    int64_t group_id;
    bool is_silent;
    bool is_self;
} outcome_t;

/* A creation says which group it is, and whether it was there. */
static bool read_detail(const pl_change_t *change, int64_t *group_id, bool *is_duplicate)
{
    pl_json_t *detail;
    pl_error_t error;
    const char *text;
    size_t len;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return false;
    bool is_there = pl_json_get_bool(detail, "isDuplicate", is_duplicate) == 1 &&
                    pl_json_get_string(detail, "groupId", &text, &len) == 1 &&
                    pl_id_parse(text, len, group_id) == 0;
    pl_json_free(&detail);
    return is_there;
}

/* A removal that was sent again after a lost connection finds nobody to remove. */
static bool is_done_before(const pl_change_t *change, const outcome_t *outcome)
{
    return outcome->is_silent && change->op.is_outcome_unknown &&
           (pl_change_is(change, "member-not-found") ||
            (outcome->is_self && pl_change_is(change, "group-not-found")));
}

static void reply(pl_request_t *request, const pl_change_t *change, bool is_complete, void *arg)
{
    const outcome_t *outcome = arg;
    int64_t group_id = outcome->group_id;
    bool is_duplicate = false;
    int status = 200;
    (void)is_complete;

    if (pl_change_is(change, "no-mailbox")) {
        if (pl_id_is_group(change->mailbox_id))
            pl_problem_reply(request, PL_PROBLEM_GROUP_NOT_FOUND,
                             "The caller is in no such group.");
        else
            pl_api_reply_no_caller(request);
        return;
    }
    if (pl_change_is(change, "id-taken")) {
        pl_problem_reply(request, PL_PROBLEM_UNAVAILABLE, "No id could be found.");
        return;
    }
    if (is_done_before(change, outcome)) {
        pl_request_reply_no_content(request);
        return;
    }
    if (pl_change_reply_refusal(request, change))
        return;
    if (read_detail(change, &group_id, &is_duplicate))
        status = is_duplicate ? 200 : 201;
    if (outcome->is_silent) {
        pl_request_reply_no_content(request);
        return;
    }
    fetch_t *fetch = fetch_create(outcome->api, request, group_id, status);
    fetch->is_after_change = true;
    read_group(fetch);
}

static void make(command_t *command)
{
    outcome_t *outcome = pl_malloc(sizeof(*outcome));

    *outcome = (outcome_t){command->api, command->group_id, command->is_silent, command->is_self};
    pl_change_flow_start(command->api, command->request,
                         &(pl_change_order_t){
                             .kind = command->kind,
                             .mailbox_id = command->mailbox_id,
                             .actor_id = pl_request_claims(command->request)->user_id,
                             .argument = &command->argument,
                             .reply = reply,
                             .arg = outcome,
                         });
    command_destroy(command);
}

/* ---- do the users exist? ---- */

static void on_users_checked(command_t *command)
{
    if (command->error != PL_OK) {
        pl_api_reply_error(command->request, command->error);
        command_destroy(command);
    } else if (command->unknown_id != 0) {
        pl_problem_reply_field(command->request, command->field, "no user has the id %lld",
                               (long long)command->unknown_id);
        command_destroy(command);
    } else {
        make(command);
    }
}

static void take_check(command_t *command, const pl_user_check_t *check)
{
    if (check->error != PL_OK)
        command->error = check->error;
    else if (!check->exists || pl_id_is_group(check->user_id))
        command->unknown_id = check->user_id;
    if (--command->checks_open == 0)
        on_users_checked(command);
}

static void on_user_read(pl_user_check_t *check)
{
    take_check(H2O_STRUCT_FROM_MEMBER(struct user, check, check)->command, check);
}

static void begin(command_t *command)
{
    size_t count = command->users_count;

    if (count > (size_t)command->api->deps.config->groups.max_members) {
        pl_problem_reply(command->request, PL_PROBLEM_GROUP_FULL,
                         "These are more users than a group may have.");
        command_destroy(command);
        return;
    }
    /* One more, so that the last answer is not the first. */
    command->checks_open = count + 1;
    for (size_t i = 0; i < count; i++) {
        struct user *user = &command->users[i];
        user->command = command;
        user->check.on_done = on_user_read;
        if (pl_user_check_start(command->api->user_checks, &user->check))
            take_check(command, &user->check);
    }
    if (--command->checks_open == 0)
        on_users_checked(command);
}

/* ---- decoding ---- */

static void key_id(pl_buffer_t *out, const char *key, int64_t id)
{
    pl_json_key(out, key);
    pl_json_id(out, id);
}

static void decode_name(const pl_json_t *json, const char **name, size_t *len,
                        pl_refusal_t *refusal)
{
    if (pl_body_text(json, "name", true, name, len, refusal) &&
        (*len == 0 || pl_utf8_length(*name, *len) > NAME_MAX_CODE_POINTS))
        pl_body_wrong(refusal, "name", "must be 1 to %d characters", NAME_MAX_CODE_POINTS);
}

/* The ids at `key`, in texts that die with `json`. */
static void decode_ids(const pl_json_t *json, const char *key, bool may_be_empty,
                       const char *texts[PL_GROUP_MEMBERS_MAX], size_t *count,
                       pl_refusal_t *refusal)
{
    int found = pl_json_get_strings(json, key, texts, PL_GROUP_MEMBERS_MAX, count);
    int64_t id;

    if (found != 1) {
        pl_body_wrong(refusal, key, "must be an array of at most %d userIds", PL_GROUP_MEMBERS_MAX);
        return;
    }
    if (!may_be_empty && *count == 0)
        pl_body_wrong(refusal, key, "must name a user");
    for (size_t i = 0; i < *count; i++)
        if (pl_id_parse(texts[i], strlen(texts[i]), &id) != 0) {
            pl_body_wrong(refusal, key, "must be an array of userIds");
            return;
        }
}

static bool is_named(const command_t *command, int64_t user_id)
{
    for (size_t i = 0; i < command->users_count; i++)
        if (command->users[i].check.user_id == user_id)
            return true;
    return false;
}

static void name_users(command_t *command, const char *key, const char *const *texts, size_t count)
{
    const pl_cluster_t *cluster = command->api->deps.cluster;

    pl_json_key(&command->argument, key);
    pl_json_array_begin(&command->argument);
    for (size_t i = 0; i < count; i++) {
        int64_t id = 0;
        (void)!pl_id_parse(texts[i], strlen(texts[i]), &id);
        pl_json_id(&command->argument, id);
        if (!pl_cluster_has(cluster, id))
            command->unknown_id = id;
        else if (!is_named(command, id))
            command->users[command->users_count++].check.user_id = id;
    }
    pl_json_array_end(&command->argument);
}

/* The group that the path names. 0: the request is answered. */
static int64_t decode_group(pl_api_t *api, pl_request_t *request)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t id;

    if (pl_api_caller(api, request) == 0 || pl_request_query(request, NULL, 0) != 0)
        return 0;
    if (pl_id_parse(text.data, text.len, &id) != 0 || !pl_id_is_group(id) ||
        !pl_cluster_has(api->deps.cluster, id)) {
        pl_problem_reply(request, PL_PROBLEM_GROUP_NOT_FOUND, "The caller is in no such group.");
        return 0;
    }
    return id;
}

/* The member that the path names. 0: the request is answered. */
static int64_t decode_member(pl_request_t *request)
{
    pl_slice_t text = pl_request_path_parameter(request, 1);
    int64_t id;

    if (pl_id_parse(text.data, text.len, &id) == 0)
        return id;
    pl_problem_reply(request, PL_PROBLEM_MEMBER_NOT_FOUND, "This is no userId.");
    return 0;
}

/* The body, if it is acceptable; else the request is answered. The caller frees it. */
static pl_json_t *parse_body(pl_request_t *request, pl_refusal_t *refusal)
{
    pl_slice_t body = pl_request_body(request);
    pl_json_t *json = NULL;

    pl_refusal_init(refusal);
    if (pl_body_parse(body.data, body.len, &json, refusal) != 0)
        pl_refusal_reply(request, refusal);
    return json;
}

/* True: the fields are wrong, and the request is answered. */
static bool is_refused(pl_request_t *request, pl_refusal_t *refusal)
{
    if (refusal->fields.count == 0)
        return false;
    (void)!pl_refuse_fields(refusal);
    pl_refusal_reply(request, refusal);
    return true;
}

/* A command of a member: its argument has begun. */
static command_t *member_command(pl_api_t *api, pl_request_t *request, const char *kind,
                                 int64_t group_id, size_t users_max)
{
    command_t *command = command_create(api, request, kind, group_id, users_max);

    pl_json_object_begin(&command->argument);
    key_id(&command->argument, "actorId", pl_request_claims(request)->user_id);
    return command;
}

static void end_argument(command_t *command, bool has_limit)
{
    if (has_limit) {
        pl_json_key(&command->argument, "maxMembers");
        pl_json_int64(&command->argument, command->api->deps.config->groups.max_members);
    }
    pl_json_object_end(&command->argument);
}

/* ---- requests ---- */

static void create_group(pl_api_t *api, pl_request_t *request, const pl_json_t *json,
                         pl_refusal_t *refusal)
{
    int64_t caller_id = pl_request_claims(request)->user_id;
    const char *members[PL_GROUP_MEMBERS_MAX], *name, *key;
    size_t count, name_len, key_len;

    decode_name(json, &name, &name_len, refusal);
    decode_ids(json, "memberIds", true, members, &count, refusal);
    if (pl_body_text(json, "clientGroupId", true, &key, &key_len, refusal) &&
        (key_len == 0 || key_len > PL_CLIENT_MESSAGE_ID_MAX ||
         !pl_ascii_is_printable(key, key_len)))
        pl_body_wrong(refusal, "clientGroupId", "must be 1 to %d printable ASCII characters",
                      PL_CLIENT_MESSAGE_ID_MAX);
    if (is_refused(request, refusal))
        return;
    command_t *command = command_create(api, request, "group_create",
                                        pl_id_next(pl_id_shard(caller_id), PL_ID_GROUP), count);
    command->mailbox_id = caller_id;
    command->field = "/memberIds";
    pl_json_object_begin(&command->argument);
    key_id(&command->argument, "groupId", command->group_id);
    pl_json_key(&command->argument, "name");
    pl_json_string(&command->argument, name, name_len);
    pl_json_key(&command->argument, "clientGroupId");
    pl_json_string(&command->argument, key, key_len);
    name_users(command, "memberIds", members, count);
    end_argument(command, true);
    begin(command);
}

static void on_create_group(pl_request_t *request, void *worker)
{
    pl_refusal_t refusal;
    pl_json_t *json;

    if (pl_api_caller(worker, request) == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    json = parse_body(request, &refusal);
    if (json != NULL)
        create_group(worker, request, json, &refusal);
    pl_json_free(&json);
}

static void on_fetch_group(pl_request_t *request, void *worker)
{
    int64_t group_id = decode_group(worker, request);

    if (group_id != 0)
        check_caller(fetch_create(worker, request, group_id, 200));
}

static void on_update_group(pl_request_t *request, void *worker)
{
    int64_t group_id = decode_group(worker, request);
    pl_refusal_t refusal;
    pl_json_t *json;
    const char *name;
    size_t len;

    if (group_id == 0 || (json = parse_body(request, &refusal)) == NULL)
        return;
    decode_name(json, &name, &len, &refusal);
    if (!is_refused(request, &refusal)) {
        command_t *command = member_command(worker, request, "group_name", group_id, 0);
        pl_json_key(&command->argument, "name");
        pl_json_string(&command->argument, name, len);
        end_argument(command, false);
        begin(command);
    }
    pl_json_free(&json);
}

static void on_add_members(pl_request_t *request, void *worker)
{
    int64_t group_id = decode_group(worker, request);
    const char *users[PL_GROUP_MEMBERS_MAX];
    pl_refusal_t refusal;
    pl_json_t *json;
    size_t count;

    if (group_id == 0 || (json = parse_body(request, &refusal)) == NULL)
        return;
    decode_ids(json, "userIds", false, users, &count, &refusal);
    if (!is_refused(request, &refusal)) {
        command_t *command = member_command(worker, request, "group_join", group_id, count);
        command->field = "/userIds";
        name_users(command, "userIds", users, count);
        end_argument(command, true);
        begin(command);
    }
    pl_json_free(&json);
}

static void on_remove_member(pl_request_t *request, void *worker)
{
    int64_t group_id = decode_group(worker, request);
    int64_t member_id = group_id != 0 ? decode_member(request) : 0;

    if (member_id == 0)
        return;
    command_t *command = member_command(worker, request, "group_leave", group_id, 0);
    key_id(&command->argument, "userId", member_id);
    end_argument(command, false);
    command->is_silent = true;
    command->is_self = member_id == pl_request_claims(request)->user_id;
    begin(command);
}

static void on_update_member(pl_request_t *request, void *worker)
{
    int64_t group_id = decode_group(worker, request);
    int64_t member_id = group_id != 0 ? decode_member(request) : 0;
    pl_refusal_t refusal;
    pl_json_t *json;
    const char *role;
    size_t len;

    if (member_id == 0 || (json = parse_body(request, &refusal)) == NULL)
        return;
    if (pl_body_text(json, "role", true, &role, &len, &refusal) && strcmp(role, "admin") != 0 &&
        strcmp(role, "member") != 0)
        pl_body_wrong(&refusal, "role", "must be admin or member");
    if (!is_refused(request, &refusal)) {
        command_t *command = member_command(worker, request, "group_role", group_id, 0);
        key_id(&command->argument, "userId", member_id);
        pl_json_key(&command->argument, "role");
        pl_json_string(&command->argument, role, len);
        end_argument(command, false);
        begin(command);
    }
    pl_json_free(&json);
}

#define GROUP "/v1/groups/{groupId}"

const pl_route_t pl_api_groups_routes[] = {
    {"createGroup", "POST", "/v1/groups", on_create_group, PL_ROUTE_BODY},
    {"fetchGroup", "GET", GROUP, on_fetch_group, 0},
    {"updateGroup", "PATCH", GROUP, on_update_group, PL_ROUTE_BODY},
    {"addGroupMembers", "POST", GROUP "/members", on_add_members, PL_ROUTE_BODY},
    {"removeGroupMember", "DELETE", GROUP "/members/{userId}", on_remove_member, 0},
    {"updateGroupMember", "PATCH", GROUP "/members/{userId}", on_update_member, PL_ROUTE_BODY},
};
const size_t pl_api_groups_routes_count = sizeof(pl_api_groups_routes) /
                                          sizeof(pl_api_groups_routes[0]);
