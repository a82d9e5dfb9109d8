#include "core/group.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "core/group_consent.h"

typedef struct work work_t;

/* A user in the order of the change. */
typedef struct named_user {
    pl_user_check_t check;
    work_t *work;
    bool may_be_added; /* else the user is invited */
} named_user_t;

/* A change of a group and the read of the group after it, or only the read. */
struct work {
    pl_flow_t flow;
    pl_group_read_t read;
    pl_group_done_fn on_done;
    void *owner;
    enum pl_group_change_kind kind;
    int64_t actor_id;
    int64_t member_id;
    bool is_duplicate;
    pl_buffer_t argument;            /* an object that `change` ends */
    pl_buffer_t invited;             /* of CREATE and ADD: ids from the change's answer, as JSON */
    pl_consent_question_t *question; /* until its answer */
    size_t checks_open;
    enum pl_error_code check_error;
    int64_t unknown_id;
    size_t users_count;
    named_user_t users[];
};

static work_t *work_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(work_t, flow, flow);
}

static void on_end(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    work->on_done(
        &(pl_group_result_t){
            .outcome = flow->outcome,
            .json = work->read.json,
            .json_len = work->read.json_len,
            .invited = work->invited.data,
            .invited_len = work->invited.len,
            .unknown_id = work->unknown_id,
        },
        work->owner);
    free(work->read.json);
    pl_buffer_dispose(&work->argument);
    pl_buffer_dispose(&work->invited);
    free(work);
}

static work_t *work_create(int64_t actor_id, int64_t group_id, size_t users_max,
                           pl_group_done_fn on_done, void *owner)
{
    work_t *work = pl_calloc(1, sizeof(*work) + users_max * sizeof(work->users[0]));

    work->on_done = on_done;
    work->owner = owner;
    work->actor_id = actor_id;
    work->read.op.kind = &pl_group_read_kind;
    work->read.group_id = group_id;
    work->read.caller_id = actor_id;
    return work;
}

/* ---- read ---- */

static pl_turn_t read_group(pl_flow_t *flow)
{
    pl_group_read_t *read = &work_of(flow)->read;

    read->op.shard = (int)pl_id_shard(read->group_id);
    read->op.user_id = read->caller_id;
    return pl_flow_read(flow, &read->op);
}

static pl_turn_t judge_read(pl_flow_t *flow)
{
    return work_of(flow)->read.json != NULL ? PL_TURN_END
                                            : pl_flow_end(flow, PL_OUTCOME_GROUP_NOT_FOUND);
}

/* ---- fetchGroup ---- */

/* An erased user may still be a member for a moment. */
static pl_turn_t check_actor(pl_flow_t *flow)
{
    return pl_flow_check_actor(flow, work_of(flow)->actor_id);
}

/* If too many checks wait, the read is made without the check. */
static pl_turn_t judge_actor(pl_flow_t *flow)
{
    if (flow->error == PL_OK && !flow->exists)
        return pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
    return PL_TURN_NEXT;
}

static const pl_step_t fetch_steps[] = {
    {"check-actor", check_actor, .judge = judge_actor, .judges_errors = true},
    {"group", read_group, .judge = judge_read},
    {.name = NULL},
};

pl_flow_t *pl_group_fetch_start(pl_core_t *core, int64_t group_id, int64_t actor_id,
                                pl_group_done_fn on_done, void *owner)
{
    work_t *work = work_create(actor_id, group_id, 0, on_done, owner);

    pl_flow_start(&work->flow, core, fetch_steps, on_end);
    return &work->flow;
}

/* ---- check-users ---- */

static void take_check(work_t *work, const pl_user_check_t *check)
{
    if (check->error != PL_OK)
        work->check_error = check->error;
    else if (!check->exists || pl_id_is_group(check->user_id))
        work->unknown_id = check->user_id;
    assert(work->checks_open > 0);
    work->checks_open--;
}

static void on_user_checked(pl_user_check_t *check)
{
    work_t *work = H2O_STRUCT_FROM_MEMBER(named_user_t, check, check)->work;

    take_check(work, check);
    if (work->checks_open == 0)
        pl_flow_resume(&work->flow, work->check_error);
}

static pl_turn_t check_users(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    if (work->users_count > (size_t)flow->core->deps.config->groups.max_members)
        return pl_flow_end(flow, PL_OUTCOME_GROUP_FULL);
    work->checks_open = work->users_count;
    for (size_t i = 0; i < work->users_count; i++) {
        named_user_t *user = &work->users[i];
        user->work = work;
        user->check.on_done = on_user_checked;
        if (pl_user_check_start(flow->core->user_checks, &user->check))
            take_check(work, &user->check);
    }
    if (work->checks_open > 0)
        return PL_TURN_WAIT;
    flow->error = work->check_error;
    return PL_TURN_JUDGE;
}

static pl_turn_t judge_users(pl_flow_t *flow)
{
    return work_of(flow)->unknown_id == 0 ? PL_TURN_NEXT
                                          : pl_flow_end(flow, PL_OUTCOME_MEMBER_UNKNOWN);
}

/* ---- consents ---- */

static void on_consents(void *owner, enum pl_error_code error, const bool *may_add)
{
    work_t *work = owner;

    work->question = NULL;
    for (size_t i = 0; i < work->users_count && error == PL_OK; i++)
        work->users[i].may_be_added = may_add[i];
    pl_flow_resume(&work->flow, error);
}

static void abandon_question(pl_flow_t *flow)
{
    pl_consent_abandon(work_of(flow)->question);
}

/* Reads which users may be added; the others are invited. */
static pl_turn_t ask_consents(pl_flow_t *flow)
{
    work_t *work = work_of(flow);
    int64_t ids[PL_GROUP_MEMBERS_MAX];

    if (work->users_count == 0)
        return PL_TURN_NEXT;
    for (size_t i = 0; i < work->users_count; i++)
        ids[i] = work->users[i].check.user_id;
    work->question = pl_consent_ask(flow->core, work->actor_id, ids, work->users_count, on_consents,
                                    work);
    flow->abandon_reads = abandon_question;
    return PL_TURN_WAIT;
}

/* ---- change ---- */

static bool names_users(enum pl_group_change_kind kind)
{
    return kind == PL_GROUP_CREATE || kind == PL_GROUP_ADD;
}

static void take_invited(work_t *work, const pl_json_t *detail)
{
    const char *ids[PL_GROUP_MEMBERS_MAX];
    size_t count = 0;

    if (pl_json_get_strings(detail, "invited", ids, PL_GROUP_MEMBERS_MAX, &count) != 1)
        count = 0;
    pl_json_array_begin(&work->invited);
    for (size_t i = 0; i < count; i++)
        pl_json_text(&work->invited, ids[i]);
    pl_json_array_end(&work->invited);
}

/* The answer of a creation has the group's id, and whether it existed before. */
static void take_creation(work_t *work, const pl_json_t *detail)
{
    const char *text;
    size_t len;

    if (pl_json_get_bool(detail, "isDuplicate", &work->is_duplicate) != 1 ||
        pl_json_get_string(detail, "groupId", &text, &len) != 1 ||
        pl_id_parse(text, len, &work->read.group_id) != 0)
        work->is_duplicate = false;
}

static void take_detail(work_t *work, const pl_change_t *change)
{
    pl_json_t *detail;
    pl_error_t error;

    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    take_invited(work, detail);
    if (work->kind == PL_GROUP_CREATE)
        take_creation(work, detail);
    pl_json_free(&detail);
}

/* A removal that was sent again after a lost connection does not find the member any more. */
static bool is_done_before(const work_t *work, const pl_change_result_t *changed)
{
    if (work->kind != PL_GROUP_REMOVE || !changed->change->op.is_outcome_unknown)
        return false;
    return changed->outcome.code == PL_OUTCOME_MEMBER_NOT_FOUND ||
           (changed->outcome.code == PL_OUTCOME_GROUP_NOT_FOUND &&
            work->member_id == work->actor_id);
}

static void on_changed(const pl_change_result_t *changed, void *owner)
{
    work_t *work = owner;
    bool is_made = changed->outcome.code == PL_OUTCOME_DONE;

    work->flow.outcome = changed->outcome;
    if (is_done_before(work, changed))
        work->flow.outcome.code = PL_OUTCOME_DONE;
    else if (is_made && names_users(work->kind))
        take_detail(work, changed->change);
    pl_flow_resume(&work->flow, PL_OK);
}

static const char *kind_name(enum pl_group_change_kind kind)
{
    static const char *const names[] = {
        [PL_GROUP_CREATE] = "group_create", [PL_GROUP_UPDATE] = "group_profile",
        [PL_GROUP_ADD] = "group_join",      [PL_GROUP_REMOVE] = "group_leave",
        [PL_GROUP_SET_ROLE] = "group_role", [PL_GROUP_ACCEPT] = "group_accept",
    };
    return names[kind];
}

/* The argument's last member, which is known now. */
static void name_invited(work_t *work)
{
    pl_json_key(&work->argument, "invitedIds");
    pl_json_array_begin(&work->argument);
    for (size_t i = 0; i < work->users_count; i++)
        if (!work->users[i].may_be_added)
            pl_json_id(&work->argument, work->users[i].check.user_id);
    pl_json_array_end(&work->argument);
}

static enum pl_outcome_code no_mailbox(enum pl_group_change_kind kind)
{
    if (kind == PL_GROUP_CREATE)
        return PL_OUTCOME_NO_ACTOR;
    return kind == PL_GROUP_ACCEPT ? PL_OUTCOME_INVITATION_NOT_FOUND : PL_OUTCOME_GROUP_NOT_FOUND;
}

static pl_turn_t change(pl_flow_t *flow)
{
    work_t *work = work_of(flow);
    bool is_creation = work->kind == PL_GROUP_CREATE;

    if (names_users(work->kind))
        name_invited(work);
    pl_json_object_end(&work->argument);
    pl_change_flow_start(flow->core,
                         &(pl_change_order_t){
                             .kind = kind_name(work->kind),
                             .mailbox_id = is_creation ? work->actor_id : work->read.group_id,
                             .actor_id = work->actor_id,
                             .argument = &work->argument,
                             .no_mailbox = no_mailbox(work->kind),
                         },
                         on_changed, work);
    return PL_TURN_WAIT;
}

static pl_turn_t judge_change(pl_flow_t *flow)
{
    const work_t *work = work_of(flow);

    if (flow->outcome.code != PL_OUTCOME_DONE || work->kind == PL_GROUP_REMOVE)
        return PL_TURN_END;
    return PL_TURN_NEXT;
}

/* ---- read, after the change ---- */

/* With a deadline of its own, however long the change took. */
static pl_turn_t read_after(pl_flow_t *flow)
{
    work_of(flow)->read.op.deadline_ms = pl_core_deadline_ms(flow->core);
    return read_group(flow);
}

/* The change is made, even if this read fails. */
static pl_turn_t judge_read_after(pl_flow_t *flow)
{
    const work_t *work = work_of(flow);

    if (flow->error != PL_OK)
        return pl_flow_end(flow, PL_OUTCOME_OUTCOME_UNKNOWN);
    if (work->read.json == NULL)
        return pl_flow_end(flow, PL_OUTCOME_GROUP_NOT_FOUND);
    return pl_flow_end(flow, work->is_duplicate ? PL_OUTCOME_DUPLICATE : PL_OUTCOME_DONE);
}

static const pl_step_t change_steps[] = {
    {"check-users", check_users, .judge = judge_users},
    {"consents", .begin = ask_consents},
    {"change", change, .judge = judge_change, .changes = true},
    {"group", read_after, .judge = judge_read_after, .judges_errors = true},
    {.name = NULL},
};

/* ---- the argument ---- */

static void key_id(pl_buffer_t *out, const char *key, int64_t id)
{
    pl_json_key(out, key);
    pl_json_id(out, id);
}

static void key_string(pl_buffer_t *out, const char *key, const char *text, size_t len)
{
    pl_json_key(out, key);
    pl_json_string(out, text, len);
}

static bool is_named(const work_t *work, int64_t user_id)
{
    for (size_t i = 0; i < work->users_count; i++)
        if (work->users[i].check.user_id == user_id)
            return true;
    return false;
}

/* Each user is checked once, however often they are named. */
static void name_users(work_t *work, const char *key, const pl_cluster_t *cluster,
                       const pl_group_change_order_t *order)
{
    pl_json_key(&work->argument, key);
    pl_json_array_begin(&work->argument);
    for (size_t i = 0; i < order->users_count; i++) {
        int64_t user_id = order->user_ids[i];
        pl_json_id(&work->argument, user_id);
        if (!pl_cluster_can_have_id(cluster, user_id))
            work->unknown_id = user_id;
        else if (!is_named(work, user_id))
            work->users[work->users_count++].check.user_id = user_id;
    }
    pl_json_array_end(&work->argument);
}

static void encode(work_t *work, const pl_core_deps_t *deps, const pl_group_change_order_t *order)
{
    pl_buffer_t *out = &work->argument;
    bool is_creation = order->kind == PL_GROUP_CREATE;

    pl_json_object_begin(out);
    key_id(out, is_creation ? "groupId" : "actorId",
           is_creation ? work->read.group_id : order->actor_id);
    if (order->name != NULL)
        key_string(out, "name", order->name, order->name_len);
    if (order->topic != NULL)
        key_string(out, "topic", order->topic, order->topic_len);
    if (order->metadata != NULL)
        key_string(out, "metadata", order->metadata, order->metadata_len);
    if (is_creation)
        key_string(out, "clientGroupId", order->client_group_id, order->client_group_id_len);
    if (names_users(order->kind))
        name_users(work, is_creation ? "memberIds" : "userIds", deps->cluster, order);
    if (names_users(order->kind) || order->kind == PL_GROUP_ACCEPT) {
        pl_json_key(out, "maxMembers");
        pl_json_int64(out, deps->config->groups.max_members);
    }
    if (order->member_id != 0)
        key_id(out, "userId", order->member_id);
    if (order->role != NULL) {
        pl_json_key(out, "role");
        pl_json_text(out, order->role);
    }
}

void pl_group_change_start(pl_core_t *core, const pl_group_change_order_t *order,
                           pl_group_done_fn on_done, void *owner)
{
    int64_t group_id = order->kind == PL_GROUP_CREATE
                           ? pl_id_next(pl_id_shard(order->actor_id), PL_ID_GROUP)
                           : order->group_id;
    work_t *work = work_create(order->actor_id, group_id, order->users_count, on_done, owner);

    work->kind = order->kind;
    work->member_id = order->member_id;
    encode(work, &core->deps, order);
    pl_flow_start(&work->flow, core, change_steps, on_end);
}
