#include "core/session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/ending.h"
#include "core/known_users.h"
#include "store/account.h"

#define US_PER_S 1000000
/* An address in numbers, with the NUL at the end. */
#define ADDRESS_SIZE 46
/* How often a refresh looks again because another one has rotated the token meanwhile. */
#define REFRESH_ATTEMPTS 5

static int64_t lifetime_us(const pl_core_t *core)
{
    return core->deps.config->auth.refresh_lifetime_s * US_PER_S;
}

static const char *take_address(char copy[ADDRESS_SIZE], const char *address)
{
    if (*address == '\0')
        return NULL;
    (void)strncpy(copy, address, ADDRESS_SIZE - 1);
    return copy;
}

/* `issued_s` is not after the session was seen to be open: an ending after that is above it. */
static void grant(pl_session_result_t *result, const pl_core_t *core,
                  const pl_refresh_token_t *token, int64_t issued_s)
{
    result->claims = (pl_token_claims_t){
        .user_id = token->user_id,
        .session_id = token->session_id,
        .issued_s = issued_s,
        .expires_s = issued_s + core->deps.config->auth.token_lifetime_s,
    };
    pl_refresh_token_format(token, result->refresh_token);
}

static void announce(const pl_core_t *core, const pl_ending_t *ending)
{
    pl_ending_announce(core->deps.endings, pl_hub_local_hub(core->deps.hub), ending);
}

/* ---- createSession ---- */

typedef struct login {
    pl_flow_t flow;
    pl_account_read_t read;
    pl_session_create_t create;
    pl_session_done_fn on_done;
    void *owner;
    int64_t issued_s;
    pl_refresh_token_t token;
    char secret_hash[PL_REFRESH_HEX_SIZE];
    char salt[PL_REFRESH_HEX_SIZE];
    char username[PL_USERNAME_SIZE];
    char address[ADDRESS_SIZE];
    char device_name[PL_DEVICE_NAME_MAX * 4];
    size_t password_len;
    char password[];
} login_t;

static login_t *login_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(login_t, flow, flow);
}

static pl_turn_t read_account(pl_flow_t *flow)
{
    return pl_flow_read(flow, &login_of(flow)->read.op);
}

/* For a user who does not exist the password is verified too: the time must not tell. */
static pl_turn_t judge_account(pl_flow_t *flow)
{
    pl_account_t account;

    if (pl_account_read_get(&login_of(flow)->read, &account))
        pl_known_users_add(flow->core->known_users, account.user_id);
    return PL_TURN_NEXT;
}

static pl_turn_t verify_password(pl_flow_t *flow)
{
    const login_t *login = login_of(flow);

    return pl_flow_verify(flow, login->password, login->password_len,
                          pl_account_read_hash(&login->read));
}

static pl_turn_t create_session(pl_flow_t *flow)
{
    login_t *login = login_of(flow);
    pl_session_create_t *create = &login->create;
    pl_account_t account;

    if (!pl_account_read_get(&login->read, &account))
        return pl_flow_end(flow, PL_OUTCOME_WRONG_CREDENTIALS);
    login->issued_s = (int64_t)time(NULL);
    login->token.user_id = account.user_id;
    pl_refresh_secret_make(login->token.secret);
    pl_refresh_token_hash(&login->token, login->secret_hash);
    pl_refresh_salt_make(login->salt);
    create->user_id = account.user_id;
    create->verified_hash = account.password_hash;
    create->secret_hash = login->secret_hash;
    create->salt = login->salt;
    create->lifetime_us = lifetime_us(flow->core);
    create->max_sessions = (int32_t)flow->core->deps.config->auth.max_sessions;
    create->op.kind = &pl_session_create_kind;
    create->op.shard = (int)pl_id_shard(account.user_id);
    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, account.user_id),
                          &create->op);
}

/* The sessions that were too many. */
static void announce_closed(const pl_core_t *core, const pl_session_create_t *create)
{
    for (size_t i = 0; i < create->closed_count; i++)
        announce(core, &(pl_ending_t){
                           .user_id = create->user_id,
                           .session_id = create->closed_ids[i],
                           .ended_us = create->closed_us,
                       });
    pl_session_count(PL_SESSION_ENDED, create->closed_count);
}

static pl_turn_t judge_create(pl_flow_t *flow)
{
    login_t *login = login_of(flow);

    if (login->create.session_id == 0)
        return pl_flow_end(flow, PL_OUTCOME_WRONG_CREDENTIALS);
    login->token.session_id = login->create.session_id;
    announce_closed(flow->core, &login->create);
    pl_session_count(PL_SESSION_CREATED, 1);
    return PL_TURN_END;
}

static const pl_step_t login_steps[] = {
    {"account", read_account, .judge = judge_account},
    {"verify", verify_password, .absent = PL_OUTCOME_WRONG_CREDENTIALS},
    {"create", create_session, .judge = judge_create, .changes = true},
    {.name = NULL},
};

/* The id of the user with that name; 0: there is none. */
static int64_t found_id(const login_t *login)
{
    pl_account_t account;

    return pl_account_read_get(&login->read, &account) ? account.user_id : 0;
}

static void on_login(pl_flow_t *flow)
{
    login_t *login = login_of(flow);
    pl_session_result_t result = {.outcome = flow->outcome};

    if (flow->outcome.code == PL_OUTCOME_WRONG_CREDENTIALS)
        result.claims.user_id = found_id(login);
    if (flow->outcome.code == PL_OUTCOME_DONE) {
        grant(&result, flow->core, &login->token, login->issued_s);
        result.refresh_expires_in_s = flow->core->deps.config->auth.refresh_lifetime_s;
    }
    login->on_done(&result, login->owner);
    explicit_bzero(&result, sizeof(result));
    pl_account_read_dispose(&login->read);
    explicit_bzero(login, sizeof(*login) + login->password_len);
    free(login);
}

pl_flow_t *pl_session_create_start(pl_core_t *core, const pl_login_order_t *order,
                                   pl_session_done_fn on_done, void *owner)
{
    login_t *login = pl_calloc(1, sizeof(*login) + order->password_len);

    login->on_done = on_done;
    login->owner = owner;
    login->password_len = order->password_len;
    memcpy(login->password, order->password, order->password_len);
    memcpy(login->username, order->username, strlen(order->username) + 1);
    login->create.address = take_address(login->address, order->address);
    if (order->device_name != NULL) {
        memcpy(login->device_name, order->device_name, order->device_name_len);
        login->create.device_name = login->device_name;
        login->create.device_name_len = order->device_name_len;
    }
    login->read.username = login->username;
    login->read.op.kind = &pl_account_find_kind;
    login->read.op.shard = (int)pl_username_shard(order->username, strlen(order->username),
                                                  (unsigned)pl_cluster_shards(core->deps.cluster));
    /* The user is not known yet, so all logins with one username share a turn. */
    login->read.op.user_id = (int64_t)pl_hash64(order->username, strlen(order->username));
    pl_flow_start(&login->flow, core, login_steps, on_login);
    return &login->flow;
}

/* ---- refreshSession ---- */

typedef struct refresh {
    pl_flow_t flow;
    pl_refresh_token_t token;
    pl_refresh_token_t next;
    pl_session_find_t find;
    pl_session_rotate_t rotate;
    pl_session_end_t end;
    pl_session_done_fn on_done;
    void *owner;
    int attempts;
    int64_t issued_s;
    int64_t rotated_us; /* when the present token became that, as far as it is known */
    char old_hash[PL_REFRESH_HEX_SIZE];
    char new_hash[PL_REFRESH_HEX_SIZE];
    char address[ADDRESS_SIZE];
} refresh_t;

enum { REFRESH_FIND, REFRESH_ROTATE, REFRESH_END };

static const pl_step_t refresh_steps[REFRESH_END + 2];

static refresh_t *refresh_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(refresh_t, flow, flow);
}

static pl_turn_t find_session(pl_flow_t *flow)
{
    refresh_t *refresh = refresh_of(flow);
    pl_session_find_t *find = &refresh->find;

    refresh->issued_s = (int64_t)time(NULL);
    *find = (pl_session_find_t){
        .op = {.kind = &pl_session_find_kind,
               .shard = (int)pl_id_shard(refresh->token.user_id),
               .user_id = refresh->token.user_id},
        .user_id = refresh->token.user_id,
        .session_id = refresh->token.session_id,
    };
    return pl_flow_read(flow, &find->op);
}

static enum pl_refresh_use judge_token(const refresh_t *refresh)
{
    const pl_session_find_t *find = &refresh->find;

    return pl_refresh_token_judge(&refresh->token, &(pl_refresh_state_t){
                                                       .generation = find->generation,
                                                       .salt = find->salt,
                                                       .current_hash = find->current_hash,
                                                       .rotations_us = find->rotations_us,
                                                       .rotations_count = find->rotations_count,
                                                       .now_us = find->now_us,
                                                   });
}

static pl_turn_t judge_find(pl_flow_t *flow)
{
    refresh_t *refresh = refresh_of(flow);
    const pl_session_find_t *find = &refresh->find;

    if (!find->found)
        return pl_flow_end(flow, PL_OUTCOME_SESSION_ENDED);
    enum pl_refresh_use use = judge_token(refresh);
    if (use == PL_REFRESH_UNKNOWN)
        return pl_flow_end(flow, PL_OUTCOME_WRONG_REFRESH_TOKEN);
    if (use == PL_REFRESH_REUSED) {
        flow->step = &refresh_steps[REFRESH_END - 1];
        return PL_TURN_NEXT;
    }
    if (pl_refresh_token_next(&refresh->token, find->salt, &refresh->next) != 0)
        return pl_flow_end(flow, PL_OUTCOME_FAILED);
    refresh->rotated_us = find->rotations_count > 0 ? find->rotations_us[0] : find->now_us;
    return use == PL_REFRESH_CURRENT ? PL_TURN_NEXT : PL_TURN_END;
}

static pl_turn_t rotate_session(pl_flow_t *flow)
{
    refresh_t *refresh = refresh_of(flow);
    pl_session_rotate_t *rotate = &refresh->rotate;

    pl_refresh_token_hash(&refresh->token, refresh->old_hash);
    pl_refresh_token_hash(&refresh->next, refresh->new_hash);
    *rotate = (pl_session_rotate_t){
        .op = {.kind = &pl_session_rotate_kind, .shard = refresh->find.op.shard},
        .user_id = refresh->token.user_id,
        .session_id = refresh->token.session_id,
        .old_hash = refresh->old_hash,
        .new_hash = refresh->new_hash,
        .address = *refresh->address != '\0' ? refresh->address : NULL,
        .lifetime_us = lifetime_us(flow->core),
    };
    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, rotate->user_id),
                          &rotate->op);
}

static pl_turn_t judge_rotate(pl_flow_t *flow)
{
    refresh_t *refresh = refresh_of(flow);

    if (refresh->rotate.is_rotated) {
        refresh->rotated_us = refresh->find.now_us;
        return PL_TURN_END;
    }
    if (++refresh->attempts == REFRESH_ATTEMPTS)
        return pl_flow_end(flow, PL_OUTCOME_OVERLOADED);
    flow->step = &refresh_steps[REFRESH_FIND];
    return PL_TURN_AGAIN;
}

/* The token has been copied. The server cannot know which of the two clients is the user's. */
static pl_turn_t end_reused(pl_flow_t *flow)
{
    refresh_t *refresh = refresh_of(flow);
    pl_session_end_t *end = &refresh->end;

    *end = (pl_session_end_t){
        .op = {.kind = &pl_session_end_kind, .shard = refresh->find.op.shard},
        .user_id = refresh->token.user_id,
        .session_id = refresh->token.session_id,
    };
    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, end->user_id),
                          &end->op);
}

static pl_turn_t judge_reused(pl_flow_t *flow)
{
    const pl_session_end_t *end = &refresh_of(flow)->end;

    if (end->ended_us != 0) {
        pl_log_warn("refresh-token-reused", PL_ID("userId", end->user_id),
                    PL_ID("sessionId", end->session_id));
        pl_session_count(PL_SESSION_REUSED, 1);
        announce(flow->core, &(pl_ending_t){
                                 .user_id = end->user_id,
                                 .session_id = end->session_id,
                                 .ended_us = end->ended_us,
                             });
    }
    return pl_flow_end(flow, PL_OUTCOME_SESSION_ENDED);
}

static const pl_step_t refresh_steps[REFRESH_END + 2] = {
    [REFRESH_FIND] = {"find", find_session, .judge = judge_find},
    [REFRESH_ROTATE] = {"rotate", rotate_session, .judge = judge_rotate, .changes = true},
    [REFRESH_END] = {"end", end_reused, .judge = judge_reused, .changes = true},
    [REFRESH_END + 1] = {.name = NULL},
};

static void on_refreshed(pl_flow_t *flow)
{
    refresh_t *refresh = refresh_of(flow);
    pl_session_result_t result = {.outcome = flow->outcome};

    if (flow->outcome.code == PL_OUTCOME_DONE) {
        int64_t age_us = refresh->find.now_us - refresh->rotated_us;
        grant(&result, flow->core, &refresh->next, refresh->issued_s);
        result.refresh_expires_in_s = (lifetime_us(flow->core) - age_us) / US_PER_S;
        pl_session_count(PL_SESSION_REFRESHED, 1);
    }
    refresh->on_done(&result, refresh->owner);
    explicit_bzero(&result, sizeof(result));
    explicit_bzero(refresh, sizeof(*refresh));
    free(refresh);
}

pl_flow_t *pl_session_refresh_start(pl_core_t *core, const pl_refresh_token_t *token,
                                    const char *address, pl_session_done_fn on_done, void *owner)
{
    refresh_t *refresh = pl_calloc(1, sizeof(*refresh));

    refresh->token = *token;
    refresh->on_done = on_done;
    refresh->owner = owner;
    (void)take_address(refresh->address, address);
    pl_flow_start(&refresh->flow, core, refresh_steps, on_refreshed);
    return &refresh->flow;
}

/* ---- endings by request ---- */

typedef struct ending {
    pl_flow_t flow;
    pl_session_end_t end;
    enum pl_outcome_code no_user;
    pl_session_end_fn on_done;
    void *owner;
} ending_t;

static ending_t *ending_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(ending_t, flow, flow);
}

static pl_turn_t end_sessions(pl_flow_t *flow)
{
    pl_session_end_t *end = &ending_of(flow)->end;

    return pl_flow_submit(flow, pl_cluster_write_lane(flow->core->deps.cluster, end->user_id),
                          &end->op);
}

static pl_turn_t judge_end(pl_flow_t *flow)
{
    const ending_t *ending = ending_of(flow);
    const pl_session_end_t *end = &ending->end;
    enum pl_outcome_code code;

    if (pl_outcome_of_status(end->status, &code) != 0)
        code = PL_OUTCOME_FAILED;
    if (end->ended_us != 0) {
        announce(flow->core, &(pl_ending_t){
                                 .user_id = end->user_id,
                                 .session_id = end->session_id,
                                 .ended_us = end->ended_us,
                                 .kept_id = end->kept_id,
                                 .tokens_us = end->ends_tokens ? end->ended_us : 0,
                             });
        pl_session_count(PL_SESSION_ENDED, 1);
    }
    return pl_flow_end(flow, code == PL_OUTCOME_NO_MAILBOX ? ending->no_user : code);
}

static const pl_step_t end_steps[] = {
    {"end", end_sessions, .judge = judge_end, .changes = true},
    {.name = NULL},
};

static void on_ended(pl_flow_t *flow)
{
    ending_t *ending = ending_of(flow);

    ending->on_done(&flow->outcome, ending->owner);
    free(ending);
}

pl_flow_t *pl_session_end_start(pl_core_t *core, const pl_session_end_order_t *order,
                                pl_session_end_fn on_done, void *owner)
{
    ending_t *ending = pl_calloc(1, sizeof(*ending));

    ending->no_user = order->no_user;
    ending->on_done = on_done;
    ending->owner = owner;
    ending->end.op.kind = &pl_session_end_kind;
    ending->end.op.shard = (int)pl_id_shard(order->user_id);
    ending->end.user_id = order->user_id;
    ending->end.session_id = order->session_id;
    ending->end.kept_id = order->kept_id;
    ending->end.ends_tokens = order->ends_tokens;
    pl_flow_start(&ending->flow, core, end_steps, on_ended);
    return &ending->flow;
}

/* ---- fetchSessions ---- */

typedef struct listing {
    pl_flow_t flow;
    pl_sessions_read_t read;
    pl_sessions_done_fn on_done;
    void *owner;
} listing_t;

static listing_t *listing_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(listing_t, flow, flow);
}

static pl_turn_t read_sessions(pl_flow_t *flow)
{
    return pl_flow_read(flow, &listing_of(flow)->read.op);
}

static pl_turn_t judge_sessions(pl_flow_t *flow)
{
    return pl_sessions_read_found(&listing_of(flow)->read) ? PL_TURN_END
                                                           : pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
}

static const pl_step_t list_steps[] = {
    {"sessions", read_sessions, .judge = judge_sessions},
    {.name = NULL},
};

static void on_listed(pl_flow_t *flow)
{
    listing_t *listing = listing_of(flow);

    listing->on_done(&flow->outcome, &listing->read, listing->owner);
    pl_sessions_read_dispose(&listing->read);
    free(listing);
}

pl_flow_t *pl_sessions_fetch_start(pl_core_t *core, int64_t user_id, pl_sessions_done_fn on_done,
                                   void *owner)
{
    listing_t *listing = pl_calloc(1, sizeof(*listing));

    listing->on_done = on_done;
    listing->owner = owner;
    listing->read.user_id = user_id;
    listing->read.op.kind = &pl_sessions_read_kind;
    listing->read.op.shard = (int)pl_id_shard(user_id);
    listing->read.op.user_id = user_id;
    pl_flow_start(&listing->flow, core, list_steps, on_listed);
    return &listing->flow;
}
