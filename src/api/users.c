/*
 * createUser, fetchUser and fetchUserByUsername.
 *
 * A new user's id names the shard that the username hashes to. Two servers may give out one id in
 * the same millisecond: the insert finds that out, and the next id is tried.
 */
#include <stdlib.h>
#include <string.h>

#include "api/account_input.h"
#include "api/context.h"
#include "api/known_users.h"
#include "api/password_work.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "http/problem.h"
#include "store/account.h"
#include "store/resource_json.h"

/* A collision takes two servers in one millisecond and one shard, and then 1 in 256. */
#define ID_ATTEMPTS 5

static void reply_user(pl_request_t *request, int status, const pl_account_t *account)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    pl_user_to_json(&body, account);
    pl_request_reply(request, &(pl_reply_t){.status = status}, &body);
}

/* ---- createUser ---- */

typedef struct creation {
    pl_account_create_t create;
    pl_password_work_t password;
    pl_api_t *api;
    pl_request_t *request;
    int attempts;
    char username[PL_USERNAME_SIZE];
    char hash[PL_PASSWORD_HASH_SIZE];
    char display_name[];
} creation_t;

static creation_t *creation_create(pl_api_t *api, pl_request_t *request,
                                   const pl_account_input_t *input)
{
    const char *name = input->display_name;
    size_t name_len = input->display_name_len;

    if (name == NULL) {
        name = input->username;
        name_len = strlen(input->username);
    }
    creation_t *creation = pl_calloc(1, sizeof(*creation) + name_len + 1);
    creation->api = api;
    creation->request = pl_request_ref(request);
    memcpy(creation->username, input->username, sizeof(creation->username));
    memcpy(creation->display_name, name, name_len);
    creation->create.username = creation->username;
    creation->create.display_name = creation->display_name;
    creation->create.op.kind = &pl_account_create_kind;
    creation->create.op.shard = (int)pl_username_shard(
        input->username, strlen(input->username), (unsigned)pl_cluster_shards(api->deps.cluster));
    creation->create.op.deadline_ms = pl_api_deadline_ms(api);
    return creation;
}

static void creation_destroy(creation_t *creation)
{
    pl_request_unref(&creation->request);
    explicit_bzero(creation->hash, sizeof(creation->hash));
    free(creation);
}

static void store(creation_t *creation)
{
    pl_account_create_t *create = &creation->create;

    create->user_id = pl_id_next((unsigned)create->op.shard, PL_ID_USER);
    create->created_us = pl_clock_now_us();
    if (pl_lane_submit(pl_cluster_write_lane(creation->api->deps.cluster, create->user_id),
                       &create->op) != 0) {
        pl_api_reply_overloaded(creation->request);
        creation_destroy(creation);
    }
}

static void on_created(creation_t *creation)
{
    const pl_account_create_t *create = &creation->create;
    pl_account_t account = {
        .user_id = create->user_id,
        .username = create->username,
        .display_name = create->display_name,
        .created_us = create->created_us,
    };
    pl_known_users_add(creation->api->known_users, account.user_id);
    reply_user(creation->request, 201, &account);
}

static void on_stored(pl_op_t *op)
{
    creation_t *creation = H2O_STRUCT_FROM_MEMBER(creation_t, create.op, op);

    if (op->error == PL_OK && creation->create.outcome == PL_ACCOUNT_ID_TAKEN &&
        ++creation->attempts < ID_ATTEMPTS) {
        store(creation);
        return;
    }
    if (op->error != PL_OK) {
        pl_api_reply_failure(creation->request, op);
    } else if (creation->create.outcome == PL_ACCOUNT_CREATED) {
        on_created(creation);
    } else if (creation->create.outcome == PL_ACCOUNT_USERNAME_TAKEN) {
        pl_problem_reply(creation->request, PL_PROBLEM_USERNAME_TAKEN,
                         "A user named \"%s\" exists.", creation->username);
    } else {
        pl_problem_reply(creation->request, PL_PROBLEM_UNAVAILABLE, "No id could be found.");
    }
    creation_destroy(creation);
}

static void on_hashed(pl_password_work_t *work, pl_password_job_t *job)
{
    creation_t *creation = H2O_STRUCT_FROM_MEMBER(creation_t, password, work);

    if (job->result == PL_PASSWORD_HASHED && pl_request_is_live(creation->request)) {
        memcpy(creation->hash, job->hash, sizeof(creation->hash));
        creation->create.password_hash = creation->hash;
        store(creation);
    } else {
        pl_password_work_reply_failure(creation->request, job);
        creation_destroy(creation);
    }
    pl_password_job_free(&job);
}

static void begin_creation(creation_t *creation, const pl_account_input_t *input)
{
    creation->create.op.on_done = on_stored;
    if (input->password == NULL) {
        store(creation);
        return;
    }
    creation->password.loop = creation->api->loop;
    creation->password.on_done = on_hashed;
    if (pl_password_work_hash(&creation->password, creation->api->deps.passwords, input->password,
                              input->password_len) != 0) {
        pl_api_reply_overloaded(creation->request);
        creation_destroy(creation);
    }
}

/* False: the request was answered. */
static bool may_create(pl_request_t *request, const pl_account_input_t *input)
{
    const pl_token_claims_t *claims = pl_request_claims(request);

    if (input->password != NULL || (claims != NULL && claims->admin))
        return true;
    if (claims == NULL) {
        pl_problem_reply(request, PL_PROBLEM_UNAUTHENTICATED,
                         "A user without a password takes a token with the admin scope.");
    } else {
        pl_problem_reply(request, PL_PROBLEM_FORBIDDEN, "This needs a token with the admin scope.");
    }
    return false;
}

static void on_create_user(pl_request_t *request, void *worker)
{
    pl_slice_t body = pl_request_body(request);
    pl_account_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_account_input_decode(body.data, body.len, &input, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    if (may_create(request, &input))
        begin_creation(creation_create(worker, request, &input), &input);
    pl_account_input_dispose(&input);
}

/* ---- fetchUser, fetchUserByUsername ---- */

typedef struct lookup {
    pl_account_read_t read;
    pl_api_t *api;
    pl_request_t *request;
    char username[PL_USERNAME_SIZE];
} lookup_t;

static void reply_not_found(pl_request_t *request)
{
    pl_problem_reply(request, PL_PROBLEM_USER_NOT_FOUND, "There is no such user.");
}

/* Found by id alone: an erased user has no name. */
static void reply_no_account(const lookup_t *lookup)
{
    int64_t deleted_us = pl_account_read_deleted_us(&lookup->read);
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (deleted_us == 0) {
        reply_not_found(lookup->request);
        return;
    }
    pl_deleted_user_to_json(&body, lookup->read.user_id, deleted_us);
    pl_request_reply(lookup->request, &(pl_reply_t){.status = 200}, &body);
}

static void on_gone(pl_request_t *request, void *owner)
{
    lookup_t *lookup = owner;
    (void)request;
    lookup->read.op.abandoned = true;
}

static void on_read(pl_op_t *op)
{
    lookup_t *lookup = H2O_STRUCT_FROM_MEMBER(lookup_t, read.op, op);
    pl_account_t account;

    if (op->error != PL_OK) {
        pl_api_reply_failure(lookup->request, op);
    } else if (pl_account_read_get(&lookup->read, &account)) {
        pl_known_users_add(lookup->api->known_users, account.user_id);
        reply_user(lookup->request, 200, &account);
    } else {
        reply_no_account(lookup);
    }
    pl_account_read_dispose(&lookup->read);
    pl_request_on_gone(lookup->request, NULL, NULL);
    pl_request_unref(&lookup->request);
    free(lookup);
}

static lookup_t *lookup_create(pl_api_t *api, pl_request_t *request, const pl_op_kind_t *kind,
                               int shard)
{
    lookup_t *lookup = pl_calloc(1, sizeof(*lookup));

    lookup->api = api;
    lookup->request = pl_request_ref(request);
    lookup->read.op.kind = kind;
    lookup->read.op.shard = shard;
    lookup->read.op.deadline_ms = pl_api_deadline_ms(api);
    lookup->read.op.on_done = on_read;
    return lookup;
}

static void lookup_begin(lookup_t *lookup)
{
    pl_lane_t *lane = pl_cluster_read_lane(lookup->api->deps.cluster, lookup->read.op.shard);

    if (pl_lane_submit(lane, &lookup->read.op) != 0) {
        pl_api_reply_overloaded(lookup->request);
        pl_request_unref(&lookup->request);
        free(lookup);
        return;
    }
    pl_request_on_gone(lookup->request, on_gone, lookup);
}

/* What is no user's id, in form or in fact, is not found: for those who ask it is the same. */
static void on_fetch_user(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_id_parse(text.data, text.len, &user_id) != 0 ||
        !pl_cluster_has(api->deps.cluster, user_id)) {
        reply_not_found(request);
        return;
    }
    lookup_t *lookup = lookup_create(api, request, &pl_account_fetch_kind,
                                     (int)pl_id_shard(user_id));
    lookup->read.user_id = user_id;
    lookup_begin(lookup);
}

static void on_find_user(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_query_parameter_t username = {.name = "username"};
    char name[PL_USERNAME_SIZE];

    if (pl_request_query(request, &username, 1) != 0)
        return;
    if (username.value.data == NULL) {
        pl_problem_reply_field(request, "?username", "is required");
        return;
    }
    if (pl_username_normalise(username.value.data, username.value.len, name) != 0) {
        pl_problem_reply_field(request, "?username", "must be 3 to 64 of a-z 0-9 . _ -");
        return;
    }
    unsigned shards = (unsigned)pl_cluster_shards(api->deps.cluster);
    lookup_t *lookup = lookup_create(api, request, &pl_account_find_kind,
                                     (int)pl_username_shard(name, strlen(name), shards));
    memcpy(lookup->username, name, sizeof(name));
    lookup->read.username = lookup->username;
    lookup_begin(lookup);
}

const pl_route_t pl_api_users_routes[] = {
    {"createUser", "POST", "/v1/users", on_create_user, PL_ROUTE_OPTIONAL_AUTH | PL_ROUTE_BODY},
    {"fetchUserByUsername", "GET", "/v1/users", on_find_user, 0},
    {"fetchUser", "GET", "/v1/users/{userId}", on_fetch_user, 0},
};
const size_t pl_api_users_routes_count = sizeof(pl_api_users_routes) /
                                         sizeof(pl_api_users_routes[0]);
