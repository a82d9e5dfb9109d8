/* createUser, fetchUser, fetchUsers; fetchMe, updateMe and deleteMe: a user's own account. */
#include <string.h>

#include "api/audit.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/ids_input.h"
#include "api/users_input.h"
#include "base/id.h"
#include "base/json_write.h"
#include "core/users_fetch.h"
#include "http/audit.h"
#include "http/problem.h"
#include "store/resource_json.h"

/* ---- createUser ---- */

static void on_created(const pl_account_result_t *result, void *owner)
{
    pl_request_t *request = owner;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    pl_api_audit(request, "create-user", result->account.user_id, &result->outcome);
    if (result->outcome.code == PL_OUTCOME_DONE) {
        pl_user_to_json(&body, &result->account);
        pl_request_reply(request, &(pl_reply_t){.status = 201}, &body);
    } else {
        pl_api_reply_outcome(request, &result->outcome);
    }
    pl_request_unref(&request);
}

/* False: the request was answered. */
static bool may_create(pl_request_t *request, const pl_account_input_t *input)
{
    const pl_token_claims_t *claims = pl_request_claims(request);

    if (input->order.password != NULL || (claims != NULL && claims->admin))
        return true;
    if (claims == NULL) {
        pl_problem_reply(request, PL_PROBLEM_UNAUTHENTICATED,
                         "Creating a user without a password needs the admin scope.");
    } else {
        pl_api_audit_admin_only(request, 0);
        pl_problem_reply(request, PL_PROBLEM_FORBIDDEN, "This needs a token with the admin scope.");
    }
    return false;
}

void pl_on_create_user(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    pl_account_input_t input;
    pl_refusal_t refusal;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    int result = pl_account_input_decode(
        body.data, body.len, api->core->deps.config->auth.password_min, &input, &refusal);
    pl_request_wipe_body(request);
    if (result != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    pl_audit_note_address(request);
    if (may_create(request, &input))
        pl_api_abandon_with(request, pl_account_create_start(api->core, &input.order, on_created,
                                                             pl_request_ref(request)));
    pl_account_input_dispose(&input);
}

/* ---- fetchUser ---- */

static void reply_no_user(pl_request_t *request)
{
    pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_USER_NOT_FOUND});
}

static void on_fetched(const pl_account_result_t *result, void *owner)
{
    pl_request_t *request = owner;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE)
        pl_user_to_json(&body, &result->account);
    else if (result->deleted_us != 0)
        pl_deleted_user_to_json(&body, result->account.user_id, result->deleted_us);
    if (body.len > 0)
        pl_request_reply(request, &(pl_reply_t){.status = 200}, &body);
    else
        pl_api_reply_outcome(request, &result->outcome);
    pl_request_unref(&request);
}

static int64_t caller_of(const pl_request_t *request)
{
    return pl_request_claims(request)->user_id;
}

/* A malformed and an unknown id get the same answer: not found. */
void pl_on_fetch_user(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t text = pl_request_path_parameter(request, 0);
    int64_t user_id;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_id_parse(text.data, text.len, &user_id) != 0 ||
        !pl_cluster_can_have_id(api->core->deps.cluster, user_id))
        reply_no_user(request);
    else
        pl_api_abandon_with(request,
                            pl_account_fetch_start(api->core, caller_of(request), user_id, NULL,
                                                   on_fetched, pl_request_ref(request)));
}

/* ---- fetchUsers ---- */

static void user_to_json(pl_buffer_t *out, const pl_user_t *user)
{
    if (user->deleted_us != 0)
        pl_deleted_user_to_json(out, user->account.user_id, user->deleted_us);
    else
        pl_user_to_json(out, &user->account);
}

static void users_to_json(pl_buffer_t *out, const pl_user_t *users, size_t count)
{
    pl_json_object_begin(out);
    pl_json_key(out, "users");
    pl_json_array_begin(out);
    for (size_t i = 0; i < count; i++)
        user_to_json(out, &users[i]);
    pl_json_array_end(out);
    pl_json_object_end(out);
}

static void on_users(const pl_users_result_t *result, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE)
        users_to_json(&body, result->users, result->count);
    pl_api_finish(owner, &result->outcome, &body);
}

static void fetch_by_ids(const pl_api_t *api, pl_request_t *request,
                         const pl_query_parameter_t *user_ids)
{
    int64_t ids[PL_USERS_READ_MAX];
    size_t count;

    if (pl_ids_input_decode(request, user_ids, PL_USERS_READ_MAX, ids, &count) == 0)
        pl_api_abandon_with(request, pl_users_fetch_start(api->core, caller_of(request), ids, count,
                                                          on_users, pl_request_ref(request)));
}

/* An erased user has no name, and is found only by id. */
static void on_found(const pl_account_result_t *result, void *owner)
{
    const pl_user_t user = {.account = result->account};
    bool is_found = result->outcome.code == PL_OUTCOME_DONE;
    pl_outcome_t outcome = result->outcome;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    /* An unknown name is an empty list. */
    if (outcome.code == PL_OUTCOME_USER_NOT_FOUND)
        outcome.code = PL_OUTCOME_DONE;
    if (outcome.code == PL_OUTCOME_DONE)
        users_to_json(&body, &user, is_found ? 1 : 0);
    pl_api_finish(owner, &outcome, &body);
}

static void fetch_by_name(const pl_api_t *api, pl_request_t *request, pl_slice_t username)
{
    char name[PL_USERNAME_SIZE];

    if (pl_username_normalise(username.data, username.len, name) != 0)
        pl_problem_reply_field(request, "?username", "must be 3 to 64 of a-z 0-9 . _ -");
    else
        pl_api_abandon_with(request, pl_account_fetch_start(api->core, caller_of(request), 0, name,
                                                            on_found, pl_request_ref(request)));
}

void pl_on_fetch_users(pl_request_t *request, void *worker)
{
    enum { USER_IDS, USERNAME, PARAMETERS };
    pl_query_parameter_t query[PARAMETERS] = {
        [USER_IDS] = {.name = "userIds", .is_list = true},
        [USERNAME] = {.name = "username"},
    };

    if (pl_request_query(request, query, PARAMETERS) != 0)
        return;
    bool has_ids = query[USER_IDS].value.data != NULL;
    bool has_name = query[USERNAME].value.data != NULL;
    if (has_ids && has_name)
        pl_problem_reply_field(request, "?username", "cannot be given together with userIds");
    else if (has_ids)
        fetch_by_ids(worker, request, &query[USER_IDS]);
    else if (has_name)
        fetch_by_name(worker, request, query[USERNAME].value);
    else
        pl_problem_reply_field(request, "?userIds", "userIds or username is required");
}

/* ---- fetchMe, updateMe ---- */

static void on_account(const pl_account_result_t *result, void *owner)
{
    const pl_reply_t reply = {.status = 200, .cache = PL_CACHE_NO_STORE};
    pl_request_t *request = owner;
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (result->outcome.code == PL_OUTCOME_DONE) {
        pl_account_to_json(&body, &result->account);
        pl_request_reply(request, &reply, &body);
    } else if (result->outcome.code == PL_OUTCOME_USER_NOT_FOUND) {
        pl_api_reply_no_caller(request);
    } else {
        pl_api_reply_outcome(request, &result->outcome);
    }
    pl_request_unref(&request);
}

static void on_password_changed(const pl_account_result_t *result, void *owner)
{
    pl_request_t *request = owner;

    pl_api_audit(request, "change-password", pl_request_claims(request)->user_id, &result->outcome);
    on_account(result, request);
}

void pl_on_fetch_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_api_abandon_with(request, pl_account_fetch_start(api->core, user_id, user_id, NULL,
                                                        on_account, pl_request_ref(request)));
}

void pl_on_update_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    int64_t user_id = pl_api_caller(api, request);
    pl_profile_input_t input;
    pl_refusal_t refusal;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    int result = pl_profile_input_decode(
        body.data, body.len, api->core->deps.config->auth.password_min, &input, &refusal);
    pl_request_wipe_body(request);
    if (result != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    pl_audit_note_address(request);
    pl_account_done_fn on_done = input.change.password != NULL ? on_password_changed : on_account;
    pl_api_abandon_with(request,
                        pl_account_update_start(api->core, pl_request_claims(request),
                                                &input.change, on_done, pl_request_ref(request)));
    pl_profile_input_dispose(&input);
}

/* ---- deleteMe ---- */

static void on_erased(const pl_account_result_t *result, void *owner)
{
    pl_request_t *request = owner;

    pl_api_audit(request, "erase-user", pl_request_claims(request)->user_id, &result->outcome);
    pl_api_finish_no_content(request, &result->outcome);
}

void pl_on_delete_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    int64_t user_id = pl_api_caller(api, request);
    pl_erasure_input_t input;
    pl_refusal_t refusal;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    int result = pl_erasure_input_decode(body.data, body.len, &input, &refusal);
    pl_request_wipe_body(request);
    if (result != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    pl_audit_note_address(request);
    pl_account_erase_start(api->core, user_id, input.current_password, input.current_password_len,
                           on_erased, pl_request_ref(request));
    pl_erasure_input_dispose(&input);
}
