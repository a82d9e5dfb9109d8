/*
 * createSession.
 *
 * An unknown username, a wrong password and a user without a password cannot be distinguished: the
 * answer is the same, and so is the work before it.
 */
#include <stdlib.h>

#include "api/audit.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/users_input.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/audit.h"
#include "http/problem.h"

/* A login, until it is answered. */
typedef struct login {
    pl_api_t *api;
    pl_request_t *request;
} login_t;

static void reply_session(const login_t *login, int64_t user_id)
{
    const pl_api_t *api = login->api;
    int64_t lifetime_s = api->config->auth.token_lifetime_s;
    pl_buffer_t body = PL_BUFFER_EMPTY, cookie = PL_BUFFER_EMPTY;
    char *token = pl_token_mint(api->auth, user_id, lifetime_s);

    pl_json_object_begin(&body);
    pl_json_key(&body, "userId");
    pl_json_id(&body, user_id);
    pl_json_key(&body, "accessToken");
    pl_json_text(&body, token);
    pl_json_key(&body, "tokenType");
    pl_json_text(&body, "Bearer");
    pl_json_key(&body, "expiresIn");
    pl_json_int64(&body, lifetime_s);
    pl_json_object_end(&body);
    pl_buffer_appendf(&cookie, "%s=%s; Path=/; Max-Age=%lld; HttpOnly; Secure; SameSite=Strict",
                      api->config->auth.cookie_name, token, (long long)lifetime_s);
    pl_reply_t reply = {
        .status = 201, .set_cookie = pl_buffer_terminate(&cookie), .has_token = true};
    pl_request_reply(login->request, &reply, &body);
    pl_buffer_dispose(&cookie);
    free(token);
}

static void on_login(const pl_account_result_t *result, void *owner)
{
    login_t *login = owner;

    pl_api_audit(login->request, "login", result->account.user_id, &result->outcome);
    if (result->outcome.code == PL_OUTCOME_DONE)
        reply_session(login, result->account.user_id);
    else
        pl_api_reply_outcome(login->request, &result->outcome);
    pl_request_unref(&login->request);
    free(login);
}

void pl_on_create_session(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    pl_account_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_session_input_decode(body.data, body.len, &input, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    pl_audit_note_address(request);
    login_t *login = pl_malloc(sizeof(*login));
    *login = (login_t){api, pl_request_ref(request)};
    pl_api_abandon_with(request, pl_login_start(api->core, input.username, input.order.password,
                                                input.order.password_len, on_login, login));
    pl_account_input_dispose(&input);
}
