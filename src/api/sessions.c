/*
 * createSession.
 *
 * An unknown username, a wrong password and a user without a password cannot be told apart: same
 * answer, and the same work is done before it.
 */
#include <stdlib.h>
#include <string.h>

#include "api/account_input.h"
#include "api/context.h"
#include "api/known_users.h"
#include "api/password_work.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"
#include "store/account.h"

typedef struct login {
    pl_account_read_t read;
    pl_password_work_t work;
    pl_api_t *api;
    pl_request_t *request;
    int64_t user_id; /* 0: no such user */
    char username[PL_USERNAME_SIZE];
    size_t password_len;
    char password[PL_PASSWORD_MAX];
} login_t;

static void login_destroy(login_t *login)
{
    pl_account_read_dispose(&login->read);
    pl_request_unref(&login->request);
    explicit_bzero(login->password, login->password_len);
    free(login);
}

static void reply_session(const login_t *login)
{
    const pl_config_t *config = login->api->deps.config;
    int64_t lifetime_s = config->auth.token_lifetime_s;
    pl_buffer_t body = PL_BUFFER_EMPTY, cookie = PL_BUFFER_EMPTY;
    char *token = pl_token_mint(login->api->deps.auth, login->user_id, lifetime_s);

    pl_json_object_begin(&body);
    pl_json_key(&body, "userId");
    pl_json_id(&body, login->user_id);
    pl_json_key(&body, "accessToken");
    pl_json_text(&body, token);
    pl_json_key(&body, "tokenType");
    pl_json_text(&body, "Bearer");
    pl_json_key(&body, "expiresIn");
    pl_json_int64(&body, lifetime_s);
    pl_json_object_end(&body);
    pl_buffer_appendf(&cookie, "%s=%s; Path=/; Max-Age=%lld; HttpOnly; Secure; SameSite=Strict",
                      config->auth.cookie_name, token, (long long)lifetime_s);
    pl_reply_t reply = {
        .status = 201, .set_cookie = pl_buffer_terminate(&cookie), .has_token = true};
    pl_request_reply(login->request, &reply, &body);
    pl_buffer_dispose(&cookie);
    free(token);
}

static void on_verified(pl_password_work_t *work, pl_password_job_t *job)
{
    login_t *login = H2O_STRUCT_FROM_MEMBER(login_t, work, work);

    if (job->result == PL_PASSWORD_MATCH) {
        reply_session(login);
    } else if (job->result == PL_PASSWORD_MISMATCH) {
        pl_problem_reply(login->request, PL_PROBLEM_INVALID_CREDENTIALS,
                         "No user has this username and this password.");
    } else {
        pl_password_work_reply_failure(login->request, job);
    }
    pl_password_job_free(&job);
    login_destroy(login);
}

static void on_read(pl_op_t *op)
{
    login_t *login = H2O_STRUCT_FROM_MEMBER(login_t, read.op, op);
    const char *hash = NULL;
    pl_account_t account;

    if (op->error != PL_OK) {
        pl_api_reply_failure(login->request, op);
        login_destroy(login);
        return;
    }
    if (pl_account_read_get(&login->read, &account)) {
        login->user_id = account.user_id;
        hash = account.password_hash;
        pl_known_users_add(login->api->known_users, account.user_id);
    }
    /* For one who has left no hash is made: a flood of logins that nobody waits for must not fill
     * the queue. */
    if (!pl_request_is_live(login->request)) {
        login_destroy(login);
    } else if (pl_password_work_verify(&login->work, login->api->deps.passwords, login->password,
                                       login->password_len, hash) != 0) {
        pl_api_reply_overloaded(login->request);
        login_destroy(login);
    }
}

static void login_begin(pl_api_t *api, pl_request_t *request, const pl_account_input_t *input)
{
    login_t *login = pl_calloc(1, sizeof(*login));
    unsigned shards = (unsigned)pl_cluster_shards(api->deps.cluster);
    size_t name_len = strlen(input->username);

    login->api = api;
    login->request = pl_request_ref(request);
    memcpy(login->username, input->username, sizeof(login->username));
    memcpy(login->password, input->password, input->password_len);
    login->password_len = input->password_len;
    login->work.loop = api->loop;
    login->work.on_done = on_verified;
    login->read.username = login->username;
    login->read.op.kind = &pl_account_find_kind;
    login->read.op.shard = (int)pl_username_shard(input->username, name_len, shards);
    login->read.op.deadline_ms = pl_api_deadline_ms(api);
    login->read.op.on_done = on_read;
    if (pl_lane_submit(pl_cluster_read_lane(api->deps.cluster, login->read.op.shard),
                       &login->read.op) != 0) {
        pl_api_reply_overloaded(request);
        login_destroy(login);
    }
}

static void on_create_session(pl_request_t *request, void *worker)
{
    pl_slice_t body = pl_request_body(request);
    pl_account_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_session_input_decode(body.data, body.len, &input, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    login_begin(worker, request, &input);
    pl_account_input_dispose(&input);
}

const pl_route_t pl_api_sessions_routes[] = {
    {"createSession", "POST", "/v1/sessions", on_create_session, PL_ROUTE_PUBLIC | PL_ROUTE_BODY},
};
const size_t pl_api_sessions_routes_count = sizeof(pl_api_sessions_routes) /
                                            sizeof(pl_api_sessions_routes[0]);
