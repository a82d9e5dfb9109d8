/*
 * createSession, refreshSession, fetchSessions; endSession, endCurrentSession, endOtherSessions and
 * revokeUserSessions.
 *
 * An unknown username, a wrong password and a user without a password cannot be distinguished: the
 * answer is the same, and so is the work before it.
 *
 * A session's tokens are also given as cookies, for browsers. The cookie with the refresh token is
 * sent to the paths of this file only.
 */
#include <stdlib.h>
#include <string.h>

#include "api/audit.h"
#include "api/body.h"
#include "api/context.h"
#include "api/cookies.h"
#include "api/handlers.h"
#include "api/users_input.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/session.h"
#include "http/audit.h"
#include "http/problem.h"
#include "store/resource_json.h"

/* ---- createSession, refreshSession: an answer with tokens ---- */

/* A request for tokens, until it is answered. */
typedef struct ask {
    pl_api_t *api;
    pl_request_t *request;
    int status; /* of the answer */
} ask_t;

static ask_t *ask_create(pl_api_t *api, pl_request_t *request, int status)
{
    ask_t *ask = pl_malloc(sizeof(*ask));

    *ask = (ask_t){api, pl_request_ref(request), status};
    return ask;
}

static void append_cookie(pl_buffer_t *out, const char *name, const char *value, const char *path,
                          int64_t max_age_s)
{
    pl_buffer_appendf(out, "%s=%s; Path=%s; Max-Age=%lld; HttpOnly; Secure; SameSite=Strict", name,
                      value, path, (long long)max_age_s);
}

static void append_cookies(pl_buffer_t cookies[2], const char *access_token, int64_t access_s,
                           const char *refresh_token, int64_t refresh_s)
{
    append_cookie(&cookies[0], PL_ACCESS_COOKIE, access_token, "/", access_s);
    append_cookie(&cookies[1], PL_REFRESH_COOKIE, refresh_token, "/v1/sessions", refresh_s);
}

static void tokens_to_json(pl_buffer_t *out, const pl_session_result_t *session,
                           const char *access_token, int64_t expires_in_s)
{
    pl_json_object_begin(out);
    pl_json_key(out, "userId");
    pl_json_id(out, session->claims.user_id);
    pl_json_key(out, "sessionId");
    pl_json_id(out, session->claims.session_id);
    pl_json_key(out, "tokenType");
    pl_json_text(out, "Bearer");
    pl_json_key(out, "accessToken");
    pl_json_text(out, access_token);
    pl_json_key(out, "expiresIn");
    pl_json_int64(out, expires_in_s);
    pl_json_key(out, "refreshToken");
    pl_json_text(out, session->refresh_token);
    pl_json_key(out, "refreshExpiresIn");
    pl_json_int64(out, session->refresh_expires_in_s);
    pl_json_object_end(out);
}

static void reply_tokens(const ask_t *ask, const pl_session_result_t *session)
{
    pl_buffer_t body = PL_BUFFER_EMPTY, cookies[2] = {PL_BUFFER_EMPTY, PL_BUFFER_EMPTY};
    char *token = pl_token_mint(ask->api->auth, &session->claims);
    int64_t lifetime_s = session->claims.expires_s - session->claims.issued_s;

    tokens_to_json(&body, session, token, lifetime_s);
    append_cookies(cookies, token, lifetime_s, session->refresh_token,
                   session->refresh_expires_in_s);
    pl_reply_t reply = {
        .status = ask->status,
        .set_cookies = {pl_buffer_terminate(&cookies[0]), pl_buffer_terminate(&cookies[1])},
        .has_token = true,
    };
    pl_request_reply(ask->request, &reply, &body);
    pl_buffer_dispose(&cookies[0]);
    pl_buffer_dispose(&cookies[1]);
    free(token);
}

static void on_tokens(const pl_session_result_t *session, void *owner)
{
    ask_t *ask = owner;

    if (ask->status == 201)
        pl_api_audit(ask->request, "login", session->claims.user_id, &session->outcome);
    if (session->outcome.code == PL_OUTCOME_DONE)
        reply_tokens(ask, session);
    else
        pl_api_reply_outcome(ask->request, &session->outcome);
    pl_request_unref(&ask->request);
    free(ask);
}

void pl_on_create_session(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    char address[PL_ADDRESS_SIZE];
    pl_account_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    int result = pl_session_input_decode(body.data, body.len, &input, &refusal);
    pl_request_wipe_body(request);
    if (result != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    pl_audit_note_address(request);
    pl_request_client_address(request, address);
    const pl_login_order_t order = {
        .username = input.username,
        .password = input.order.password,
        .password_len = input.order.password_len,
        .device_name = input.device_name,
        .device_name_len = input.device_name_len,
        .address = address,
    };
    pl_api_abandon_with(request, pl_session_create_start(api->core, &order, on_tokens,
                                                         ask_create(api, request, 201)));
    pl_account_input_dispose(&input);
}

static void reply_wrong_token(pl_request_t *request)
{
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_WRONG_REFRESH_TOKEN});
}

/* -1: the request was answered. */
static int read_body_token(pl_request_t *request, pl_refresh_token_t *token_r)
{
    static const char *const keys[] = {"refreshToken", NULL};
    pl_slice_t body = pl_request_body(request);
    pl_refusal_t refusal;
    pl_json_t *json;
    const char *text;
    size_t len;

    pl_refusal_init(&refusal);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
        return -1;
    }
    pl_body_keys(json, keys, &refusal);
    bool is_token = pl_body_text(json, "refreshToken", true, &text, &len, &refusal) &&
                    pl_refresh_token_parse(text, len, token_r) == 0;
    pl_json_free(&json);
    if (refusal.fields.count > 0) {
        (void)!pl_refuse_fields(&refusal);
        pl_refusal_reply(request, &refusal);
        return -1;
    }
    if (!is_token)
        reply_wrong_token(request);
    return is_token ? 0 : -1;
}

/* The same. */
static int read_cookie_token(pl_request_t *request, pl_refresh_token_t *token_r)
{
    pl_slice_t cookie = pl_request_cookie(request, PL_REFRESH_COOKIE);

    if (cookie.data == NULL)
        pl_problem_reply(request, PL_PROBLEM_UNAUTHENTICATED,
                         "Send the refresh token in the body or as a cookie.");
    else if (!pl_request_is_same_origin(request))
        pl_problem_reply(request, PL_PROBLEM_CROSS_SITE_REQUEST,
                         "With a cookie the request must come from the same origin.");
    else if (pl_refresh_token_parse(cookie.data, cookie.len, token_r) != 0)
        reply_wrong_token(request);
    else
        return 0;
    return -1;
}

void pl_on_refresh_session(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    char address[PL_ADDRESS_SIZE];
    pl_refresh_token_t token;

    if (pl_request_query(request, NULL, 0) != 0 ||
        (pl_request_body(request).len > 0 ? read_body_token(request, &token)
                                          : read_cookie_token(request, &token)) != 0)
        return;
    if (!pl_cluster_can_have_id(api->core->deps.cluster, token.user_id) ||
        pl_id_is_group(token.user_id)) {
        reply_wrong_token(request);
        return;
    }
    pl_request_client_address(request, address);
    pl_api_abandon_with(request, pl_session_refresh_start(api->core, &token, address, on_tokens,
                                                          ask_create(api, request, 200)));
    explicit_bzero(&token, sizeof(token));
}

/* ---- fetchSessions ---- */

static void session_to_json(pl_buffer_t *out, const pl_session_t *session, int64_t current_id)
{
    pl_json_object_begin(out);
    pl_session_members_to_json(out, session);
    pl_json_key(out, "isCurrent");
    pl_json_bool(out, session->session_id == current_id);
    pl_json_object_end(out);
}

static void on_sessions(const pl_outcome_t *outcome, const pl_sessions_read_t *read, void *owner)
{
    pl_request_t *request = owner;
    int64_t current_id = pl_request_claims(request)->session_id;
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_session_t session;

    if (outcome->code == PL_OUTCOME_DONE) {
        pl_json_object_begin(&body);
        pl_json_key(&body, "sessions");
        pl_json_array_begin(&body);
        for (size_t i = 0; i < pl_sessions_read_length(read); i++) {
            pl_sessions_read_get(read, i, &session);
            session_to_json(&body, &session, current_id);
        }
        pl_json_array_end(&body);
        pl_json_object_end(&body);
    }
    pl_api_finish(request, outcome, &body);
}

void pl_on_fetch_sessions(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_api_abandon_with(
        request, pl_sessions_fetch_start(api->core, user_id, on_sessions, pl_request_ref(request)));
}

/* ---- endings ---- */

static void on_ended(const pl_outcome_t *outcome, void *owner)
{
    pl_request_t *request = owner;

    pl_api_audit(request, "end-session", pl_request_claims(request)->user_id, outcome);
    pl_api_finish_no_content(request, outcome);
}

static void on_revoked(const pl_outcome_t *outcome, void *owner)
{
    pl_request_t *request = owner;
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id = 0;

    (void)!pl_id_parse(text.data, text.len, &user_id);
    pl_api_audit(request, "revoke-sessions", user_id, outcome);
    pl_api_finish_no_content(request, outcome);
}

/* Logout: the browser forgets its cookies. */
static void on_current_ended(const pl_outcome_t *outcome, void *owner)
{
    pl_request_t *request = owner;
    pl_buffer_t cookies[2] = {PL_BUFFER_EMPTY, PL_BUFFER_EMPTY};

    pl_api_audit(request, "end-session", pl_request_claims(request)->user_id, outcome);
    if (outcome->code == PL_OUTCOME_DONE) {
        append_cookies(cookies, "", 0, "", 0);
        pl_reply_t reply = {
            .status = 204,
            .set_cookies = {pl_buffer_terminate(&cookies[0]), pl_buffer_terminate(&cookies[1])},
        };
        pl_request_reply(request, &reply, NULL);
        pl_buffer_dispose(&cookies[0]);
        pl_buffer_dispose(&cookies[1]);
    } else {
        pl_api_reply_outcome(request, outcome);
    }
    pl_request_unref(&request);
}

static void end(const pl_api_t *api, pl_request_t *request, const pl_session_end_order_t *order,
                pl_session_end_fn on_done)
{
    pl_audit_note_address(request);
    pl_api_abandon_with(request,
                        pl_session_end_start(api->core, order, on_done, pl_request_ref(request)));
}

static void reply_no_session(pl_request_t *request)
{
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_SESSION_NOT_FOUND});
}

void pl_on_end_session(pl_request_t *request, void *worker)
{
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id = pl_api_caller(worker, request);
    pl_session_end_order_t order = {.user_id = user_id, .no_user = PL_OUTCOME_NO_ACTOR};

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_id_parse(text.data, text.len, &order.session_id) != 0)
        reply_no_session(request);
    else if (order.session_id == pl_request_claims(request)->session_id)
        end(worker, request, &order, on_current_ended);
    else
        end(worker, request, &order, on_ended);
}

void pl_on_end_current_session(pl_request_t *request, void *worker)
{
    int64_t user_id = pl_api_caller(worker, request);
    const pl_session_end_order_t order = {
        .user_id = user_id,
        .session_id = pl_request_claims(request)->session_id,
        .no_user = PL_OUTCOME_NO_ACTOR,
    };

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    if (order.session_id == 0)
        reply_no_session(request);
    else
        end(worker, request, &order, on_current_ended);
}

/* Without the parameter it could be a request for one session whose id is missing. */
void pl_on_end_other_sessions(pl_request_t *request, void *worker)
{
    pl_query_parameter_t query[] = {{.name = "others"}};
    int64_t user_id = pl_api_caller(worker, request);
    const pl_session_end_order_t order = {
        .user_id = user_id,
        .kept_id = pl_request_claims(request)->session_id,
        .no_user = PL_OUTCOME_NO_ACTOR,
    };

    if (user_id == 0 || pl_request_query(request, query, 1) != 0)
        return;
    if (!pl_slice_is(query[0].value, "true"))
        pl_problem_reply_field(request, "?others", "must be true");
    else
        end(worker, request, &order, on_ended);
}

void pl_on_revoke_user_sessions(pl_request_t *request, void *worker)
{
    const pl_api_t *api = worker;
    pl_slice_t text = pl_request_path_parameter(request, 0);
    pl_session_end_order_t order = {.ends_tokens = true, .no_user = PL_OUTCOME_USER_NOT_FOUND};

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (!pl_request_claims(request)->admin) {
        pl_api_audit_admin_only(request, 0);
        pl_problem_reply(request, PL_PROBLEM_FORBIDDEN, "This needs a token with the admin scope.");
    } else if (pl_id_parse(text.data, text.len, &order.user_id) != 0 ||
               !pl_cluster_can_have_id(api->core->deps.cluster, order.user_id) ||
               pl_id_is_group(order.user_id)) {
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_USER_NOT_FOUND});
    } else {
        end(api, request, &order, on_revoked);
    }
}
