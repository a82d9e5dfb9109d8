#include "core/account.h"

#include <stdlib.h>
#include <string.h>

#include "auth/common_password.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "core/ending.h"
#include "core/known_users.h"
#include "push/presence.h"

/* A collision takes two servers in one millisecond and one shard, and then 1 in 256. */
#define ID_ATTEMPTS 5

/* ---- passwords ---- */

/* A password of a request. */
typedef struct password {
    size_t len; /* 0: none */
    char text[PL_PASSWORD_MAX];
} password_t;

static void password_set(password_t *password, const char *text, size_t len)
{
    if (text == NULL)
        return;
    memcpy(password->text, text, len);
    password->len = len;
}

static void password_wipe(password_t *password)
{
    explicit_bzero(password->text, password->len);
}

typedef struct new_password {
    password_t typed;
    char hash[PL_PASSWORD_HASH_SIZE];
} new_password_t;

static void new_password_wipe(new_password_t *password)
{
    password_wipe(&password->typed);
    explicit_bzero(password->hash, sizeof(password->hash));
}

/* NULL if there is none; the caller frees it. */
static char *copy_metadata(const char *metadata, size_t len)
{
    return len > 0 ? pl_memdup(metadata, len) : NULL;
}

static pl_turn_t begin_hash(pl_flow_t *flow, const new_password_t *password, const char *username)
{
    const password_t *typed = &password->typed;

    if (typed->len == 0)
        return PL_TURN_NEXT;
    if (pl_password_is_common(typed->text, typed->len, username))
        return pl_flow_end(flow, PL_OUTCOME_PASSWORD_TOO_COMMON);
    return pl_flow_hash(flow, typed->text, typed->len);
}

/* `hash_r` points into the password. */
static pl_turn_t keep_hash(const pl_flow_t *flow, new_password_t *password, const char **hash_r)
{
    memcpy(password->hash, flow->job->hash, sizeof(password->hash));
    *hash_r = password->hash;
    return PL_TURN_NEXT;
}

/* ---- the current password ---- */

static pl_turn_t begin_account(pl_flow_t *flow, pl_account_read_t *read)
{
    read->op.kind = &pl_account_fetch_kind;
    read->op.shard = (int)pl_id_shard(read->user_id);
    read->op.user_id = read->user_id;
    return pl_flow_read(flow, &read->op);
}

/* An account with a password needs it. */
static pl_turn_t judge_current(pl_flow_t *flow, const pl_account_read_t *read,
                               const password_t *password)
{
    pl_account_t account;

    if (!pl_account_read_get(read, &account))
        return pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
    if (account.password_hash != NULL && password->len == 0)
        return pl_flow_end(flow, PL_OUTCOME_PASSWORD_REQUIRED);
    return PL_TURN_NEXT;
}

static pl_turn_t begin_verify(pl_flow_t *flow, const pl_account_read_t *read,
                              const password_t *password)
{
    if (password->len == 0)
        return PL_TURN_NEXT;
    return pl_flow_verify(flow, password->text, password->len, pl_account_read_hash(read));
}

/* ---- createUser ---- */

typedef struct creation {
    pl_flow_t flow;
    pl_account_create_t create;
    pl_account_done_fn on_done;
    void *owner;
    int attempts;
    new_password_t password;
    char *metadata;
    char username[PL_USERNAME_SIZE];
    char display_name[];
} creation_t;

static creation_t *creation_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(creation_t, flow, flow);
}

static pl_turn_t hash_password(pl_flow_t *flow)
{
    const creation_t *creation = creation_of(flow);

    return begin_hash(flow, &creation->password, creation->username);
}

static pl_turn_t take_hash(pl_flow_t *flow)
{
    creation_t *creation = creation_of(flow);
    return keep_hash(flow, &creation->password, &creation->create.password_hash);
}

static pl_turn_t store(pl_flow_t *flow)
{
    pl_account_create_t *create = &creation_of(flow)->create;

    create->user_id = pl_id_next((unsigned)create->op.shard, PL_ID_USER);
    create->created_us = pl_clock_now_us();
    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, create->user_id),
                          &create->op);
}

static pl_turn_t judge_store(pl_flow_t *flow)
{
    creation_t *creation = creation_of(flow);

    switch (creation->create.outcome) {
    case PL_ACCOUNT_USERNAME_TAKEN:
        return pl_flow_end(flow, PL_OUTCOME_USERNAME_TAKEN);
    case PL_ACCOUNT_ID_TAKEN:
        if (++creation->attempts < ID_ATTEMPTS)
            return PL_TURN_AGAIN;
        return pl_flow_end(flow, PL_OUTCOME_ID_TAKEN);
    case PL_ACCOUNT_CREATED:
        break;
    }
    pl_known_users_add(flow->core->known_users, creation->create.user_id);
    return PL_TURN_END;
}

static const pl_step_t create_steps[] = {
    {"hash", hash_password, .judge = take_hash},
    {"store", store, .judge = judge_store, .changes = true},
    {.name = NULL},
};

static void on_created(pl_flow_t *flow)
{
    creation_t *creation = creation_of(flow);
    const pl_account_create_t *create = &creation->create;

    creation->on_done(
        &(pl_account_result_t){
            .outcome = flow->outcome,
            .account =
                {
                    .user_id = create->user_id,
                    .username = create->username,
                    .display_name = create->display_name,
                    .created_us = create->created_us,
                    .metadata = create->metadata,
                },
        },
        creation->owner);
    new_password_wipe(&creation->password);
    free(creation->metadata);
    free(creation);
}

pl_flow_t *pl_account_create_start(pl_core_t *core, const pl_account_order_t *order,
                                   pl_account_done_fn on_done, void *owner)
{
    const char *name = order->display_name != NULL ? order->display_name : order->username;
    size_t name_len = order->display_name != NULL ? order->display_name_len : strlen(name);
    creation_t *creation = pl_calloc(1, sizeof(*creation) + name_len + 1);
    pl_account_create_t *create = &creation->create;

    creation->on_done = on_done;
    creation->owner = owner;
    password_set(&creation->password.typed, order->password, order->password_len);
    memcpy(creation->username, order->username, strlen(order->username) + 1);
    memcpy(creation->display_name, name, name_len);
    create->username = creation->username;
    create->display_name = creation->display_name;
    create->metadata = creation->metadata = copy_metadata(order->metadata, order->metadata_len);
    create->op.kind = &pl_account_create_kind;
    create->op.shard = (int)pl_username_shard(order->username, strlen(order->username),
                                              (unsigned)pl_cluster_shards(core->deps.cluster));
    pl_flow_start(&creation->flow, core, create_steps, on_created);
    return &creation->flow;
}

/* ---- fetchUser, fetchMe ---- */

typedef struct lookup {
    pl_flow_t flow;
    pl_account_read_t read;
    pl_account_done_fn on_done;
    void *owner;
    char username[PL_USERNAME_SIZE];
} lookup_t;

static lookup_t *lookup_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(lookup_t, flow, flow);
}

static pl_turn_t read_account(pl_flow_t *flow)
{
    return pl_flow_read(flow, &lookup_of(flow)->read.op);
}

static pl_turn_t judge_account(pl_flow_t *flow)
{
    pl_account_t account;

    if (!pl_account_read_get(&lookup_of(flow)->read, &account))
        return pl_flow_end(flow, PL_OUTCOME_USER_NOT_FOUND);
    pl_known_users_add(flow->core->known_users, account.user_id);
    return PL_TURN_NEXT;
}

static const pl_step_t fetch_steps[] = {
    {"account", read_account, .judge = judge_account},
    {.name = NULL},
};

static void on_looked_up(pl_flow_t *flow)
{
    lookup_t *lookup = lookup_of(flow);
    pl_account_result_t result = {
        .outcome = flow->outcome,
        .account.user_id = lookup->read.user_id,
    };

    if (flow->outcome.code == PL_OUTCOME_DONE)
        (void)!pl_account_read_get(&lookup->read, &result.account);
    else if (flow->outcome.code == PL_OUTCOME_USER_NOT_FOUND)
        result.deleted_us = pl_account_read_deleted_us(&lookup->read);
    lookup->on_done(&result, lookup->owner);
    pl_account_read_dispose(&lookup->read);
    free(lookup);
}

static lookup_t *lookup_create(const pl_core_t *core, int64_t caller_id, int64_t user_id,
                               const char *username)
{
    lookup_t *lookup = pl_calloc(1, sizeof(*lookup));
    pl_account_read_t *read = &lookup->read;

    read->op.user_id = caller_id;
    if (username == NULL) {
        read->user_id = user_id;
        read->op.kind = &pl_account_fetch_kind;
        read->op.shard = (int)pl_id_shard(user_id);
        return lookup;
    }
    memcpy(lookup->username, username, strlen(username) + 1);
    read->username = lookup->username;
    read->op.kind = &pl_account_find_kind;
    read->op.shard = (int)pl_username_shard(username, strlen(username),
                                            (unsigned)pl_cluster_shards(core->deps.cluster));
    return lookup;
}

pl_flow_t *pl_account_fetch_start(pl_core_t *core, int64_t caller_id, int64_t user_id,
                                  const char *username, pl_account_done_fn on_done, void *owner)
{
    lookup_t *lookup = lookup_create(core, caller_id, user_id, username);

    lookup->on_done = on_done;
    lookup->owner = owner;
    pl_flow_start(&lookup->flow, core, fetch_steps, on_looked_up);
    return &lookup->flow;
}

/* ---- updateMe ---- */

typedef struct update {
    pl_flow_t flow;
    pl_account_read_t before;
    pl_account_update_t update;
    pl_account_done_fn on_done;
    void *owner;
    bool read_receipts;
    bool show_presence;
    char display_name[PL_DISPLAY_NAME_MAX * 4];
    char *metadata;
    new_password_t password;
    password_t current;
} update_t;

static update_t *update_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(update_t, flow, flow);
}

static pl_turn_t read_before(pl_flow_t *flow)
{
    update_t *update = update_of(flow);

    if (update->current.len == 0 && update->password.typed.len == 0)
        return PL_TURN_NEXT;
    return begin_account(flow, &update->before);
}

static pl_turn_t judge_before(pl_flow_t *flow)
{
    update_t *update = update_of(flow);

    update->update.verified_hash = pl_account_read_hash(&update->before);
    return judge_current(flow, &update->before, &update->current);
}

static pl_turn_t verify_current(pl_flow_t *flow)
{
    const update_t *update = update_of(flow);

    return begin_verify(flow, &update->before, &update->current);
}

static pl_turn_t hash_new(pl_flow_t *flow)
{
    const update_t *update = update_of(flow);
    pl_account_t account = {.username = NULL};

    if (update->password.typed.len > 0)
        (void)!pl_account_read_get(&update->before, &account);
    return begin_hash(flow, &update->password, account.username);
}

static pl_turn_t take_new_hash(pl_flow_t *flow)
{
    update_t *update = update_of(flow);
    return keep_hash(flow, &update->password, &update->update.password_hash);
}

static pl_turn_t store_update(pl_flow_t *flow)
{
    pl_account_read_t *read = &update_of(flow)->update.read;

    read->op.kind = &pl_account_update_kind;
    read->op.shard = (int)pl_id_shard(read->user_id);
    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, read->user_id),
                          &read->op);
}

/* A new password ends the user's other sessions. */
static void announce_ended(const pl_core_t *core, const pl_account_update_t *update)
{
    int64_t ended_us = pl_account_update_sessions_ended_us(update);

    if (ended_us == 0)
        return;
    pl_session_count(PL_SESSION_ENDED, 1);
    pl_ending_announce(core->deps.endings, pl_hub_local_hub(core->deps.hub),
                       &(pl_ending_t){
                           .user_id = update->read.user_id,
                           .ended_us = ended_us,
                           .kept_id = update->kept_session_id,
                       });
}

/* Nothing was found: the account is gone, or another password was set since this one was verified.
 * The watchers of the user's presence on this server read it again at once. */
static pl_turn_t judge_update(pl_flow_t *flow)
{
    const pl_account_update_t *update = &update_of(flow)->update;
    pl_account_t account;

    if (!pl_account_read_get(&update->read, &account))
        return pl_flow_end(flow, update->password_hash != NULL ? PL_OUTCOME_WRONG_PASSWORD
                                                               : PL_OUTCOME_NO_ACTOR);
    announce_ended(flow->core, update);
    if (update->show_presence != NULL)
        pl_presence_notify_watchers(flow->core->deps.presence, update->read.user_id);
    return PL_TURN_END;
}

static const pl_step_t update_steps[] = {
    {"account", read_before, .judge = judge_before},
    {"verify", verify_current, .absent = PL_OUTCOME_WRONG_PASSWORD},
    {"hash", hash_new, .judge = take_new_hash},
    {"store", store_update, .judge = judge_update, .changes = true},
    {.name = NULL},
};

static void on_updated(pl_flow_t *flow)
{
    update_t *update = update_of(flow);
    pl_account_result_t result = {.outcome = flow->outcome};

    if (flow->outcome.code == PL_OUTCOME_DONE)
        (void)!pl_account_read_get(&update->update.read, &result.account);
    update->on_done(&result, update->owner);
    pl_account_read_dispose(&update->before);
    pl_account_read_dispose(&update->update.read);
    new_password_wipe(&update->password);
    password_wipe(&update->current);
    free(update->metadata);
    free(update);
}

static void take_settings(update_t *update, const pl_account_change_t *change)
{
    pl_account_update_t *stored = &update->update;

    if (change->display_name != NULL) {
        memcpy(update->display_name, change->display_name, change->display_name_len);
        stored->display_name = update->display_name;
        stored->display_name_len = change->display_name_len;
    }
    if (change->read_receipts != NULL) {
        update->read_receipts = *change->read_receipts;
        stored->read_receipts = &update->read_receipts;
    }
    if (change->show_presence != NULL) {
        update->show_presence = *change->show_presence;
        stored->show_presence = &update->show_presence;
    }
    stored->group_invites = change->group_invites;
    stored->metadata = update->metadata = copy_metadata(change->metadata, change->metadata_len);
}

pl_flow_t *pl_account_update_start(pl_core_t *core, const pl_token_claims_t *bearer,
                                   const pl_account_change_t *change, pl_account_done_fn on_done,
                                   void *owner)
{
    update_t *update = pl_calloc(1, sizeof(*update));

    update->on_done = on_done;
    update->owner = owner;
    update->before.user_id = update->update.read.user_id = bearer->user_id;
    update->update.kept_session_id = bearer->session_id;
    take_settings(update, change);
    password_set(&update->password.typed, change->password, change->password_len);
    password_set(&update->current, change->current_password, change->current_password_len);
    pl_flow_start(&update->flow, core, update_steps, on_updated);
    return &update->flow;
}

/* ---- deleteMe ---- */

typedef struct erasure {
    pl_flow_t flow;
    pl_account_read_t before;
    pl_account_done_fn on_done;
    void *owner;
    password_t current;
} erasure_t;

static erasure_t *erasure_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(erasure_t, flow, flow);
}

static pl_turn_t read_erased(pl_flow_t *flow)
{
    return begin_account(flow, &erasure_of(flow)->before);
}

static pl_turn_t judge_erased(pl_flow_t *flow)
{
    const erasure_t *erasure = erasure_of(flow);

    return judge_current(flow, &erasure->before, &erasure->current);
}

static pl_turn_t verify_erased(pl_flow_t *flow)
{
    const erasure_t *erasure = erasure_of(flow);

    return begin_verify(flow, &erasure->before, &erasure->current);
}

static const pl_step_t erase_steps[] = {
    {"account", read_erased, .judge = judge_erased},
    {"verify", verify_erased, .absent = PL_OUTCOME_WRONG_PASSWORD},
    {.name = NULL},
};

static void finish_erasure(erasure_t *erasure, const pl_outcome_t *outcome)
{
    erasure->on_done(&(pl_account_result_t){.outcome = *outcome}, erasure->owner);
    pl_account_read_dispose(&erasure->before);
    password_wipe(&erasure->current);
    free(erasure);
}

static void on_erased(const pl_change_result_t *changed, void *owner)
{
    erasure_t *erasure = owner;
    const pl_core_deps_t *deps = &erasure->flow.core->deps;
    int64_t user_id = erasure->before.user_id;

    if (changed->outcome.code == PL_OUTCOME_DONE) {
        int64_t now_us = pl_clock_now_us();
        pl_erased_users_add(deps->erased_users, user_id);
        pl_presence_notify_watchers(deps->presence, user_id);
        pl_ending_announce(deps->endings, pl_hub_local_hub(deps->hub),
                           &(pl_ending_t){
                               .user_id = user_id,
                               .ended_us = now_us,
                               .tokens_us = now_us,
                               .is_erased = true,
                           });
    }
    finish_erasure(erasure, &changed->outcome);
}

static void on_verified(pl_flow_t *flow)
{
    erasure_t *erasure = erasure_of(flow);
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    if (flow->outcome.code != PL_OUTCOME_DONE) {
        finish_erasure(erasure, &flow->outcome);
        return;
    }
    pl_json_object_begin(&argument);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    pl_json_object_end(&argument);
    pl_change_flow_start(flow->core,
                         &(pl_change_order_t){
                             .kind = "erase",
                             .mailbox_id = erasure->before.user_id,
                             .argument = &argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_erased, erasure);
}

void pl_account_erase_start(pl_core_t *core, int64_t user_id, const char *current_password,
                            size_t current_password_len, pl_account_done_fn on_done, void *owner)
{
    erasure_t *erasure = pl_calloc(1, sizeof(*erasure));

    erasure->on_done = on_done;
    erasure->owner = owner;
    erasure->before.user_id = user_id;
    password_set(&erasure->current, current_password, current_password_len);
    pl_flow_start(&erasure->flow, core, erase_steps, on_verified);
}
