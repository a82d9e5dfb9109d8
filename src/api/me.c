/*
 * fetchMe, updateMe and deleteMe: a user's own account.
 *
 *   decoded --currentPassword--> account read --> verified --.
 *      \-----------------------------------------------------> password hashed --> stored --> 200
 *
 * The database alone has the account, so what is stored is seen by whoever asks next, on every
 * server. Those who watch the user's presence on this one are told to look again at once.
 *
 * Who is erased is gone with the first transaction. What the mailbox holds goes by what that one
 * owes (sql/shard/change_erase_slice.sql): a part of it at once, the rest by the relay.
 */
#include <stdlib.h>
#include <string.h>

#include "api/account_input.h"
#include "api/change_flow.h"
#include "api/context.h"
#include "api/known_users.h"
#include "api/password_work.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "http/problem.h"
#include "push/presence.h"
#include "store/account.h"
#include "store/resource_json.h"

static void reply_account(pl_request_t *request, const pl_account_read_t *read)
{
    const pl_reply_t reply = {.status = 200, .cache = PL_CACHE_NO_STORE};
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_account_t account;

    if (!pl_account_read_get(read, &account)) {
        pl_api_reply_no_caller(request);
        return;
    }
    pl_account_to_json(&body, &account);
    pl_request_reply(request, &reply, &body);
}

static void prepare_read(pl_account_read_t *read, const pl_api_t *api, int64_t user_id,
                         void (*on_done)(pl_op_t *op))
{
    read->user_id = user_id;
    read->op.kind = &pl_account_fetch_kind;
    read->op.shard = (int)pl_id_shard(user_id);
    read->op.deadline_ms = pl_api_deadline_ms(api);
    read->op.on_done = on_done;
}

/* ---- fetchMe ---- */

typedef struct lookup {
    pl_account_read_t read;
    pl_request_t *request;
} lookup_t;

static void lookup_destroy(lookup_t *lookup)
{
    pl_account_read_dispose(&lookup->read);
    pl_request_on_gone(lookup->request, NULL, NULL);
    pl_request_unref(&lookup->request);
    free(lookup);
}

static void on_gone(pl_request_t *request, void *owner)
{
    lookup_t *lookup = owner;
    (void)request;
    lookup->read.op.abandoned = true;
}

static void on_found(pl_op_t *op)
{
    lookup_t *lookup = H2O_STRUCT_FROM_MEMBER(lookup_t, read.op, op);

    if (op->error != PL_OK)
        pl_api_reply_failure(lookup->request, op);
    else
        reply_account(lookup->request, &lookup->read);
    lookup_destroy(lookup);
}

static void on_fetch_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    lookup_t *lookup = pl_calloc(1, sizeof(*lookup));
    lookup->request = pl_request_ref(request);
    prepare_read(&lookup->read, api, user_id, on_found);
    pl_request_on_gone(request, on_gone, lookup);
    if (pl_lane_submit(pl_cluster_read_lane(api->deps.cluster, lookup->read.op.shard),
                       &lookup->read.op) != 0) {
        pl_api_reply_overloaded(request);
        lookup_destroy(lookup);
    }
}

/* ---- updateMe ---- */

typedef struct change {
    pl_account_update_t update; /* its read serves to look at the account before, too */
    pl_password_work_t work;
    pl_api_t *api;
    pl_request_t *request;
    bool read_receipts;
    bool show_presence;
    char display_name[PL_DISPLAY_NAME_MAX * 4];
    size_t password_len; /* 0: not to be changed */
    size_t current_password_len;
    char password[PL_PASSWORD_MAX];
    char current_password[PL_PASSWORD_MAX];
    char hash[PL_PASSWORD_HASH_SIZE];
} change_t;

static void change_destroy(change_t *change)
{
    pl_account_read_dispose(&change->update.read);
    pl_request_unref(&change->request);
    explicit_bzero(change->password, change->password_len);
    explicit_bzero(change->current_password, change->current_password_len);
    explicit_bzero(change->hash, sizeof(change->hash));
    free(change);
}

static void take_settings(change_t *change, const pl_profile_input_t *input)
{
    pl_account_update_t *update = &change->update;

    if (input->display_name != NULL) {
        memcpy(change->display_name, input->display_name, input->display_name_len);
        update->display_name = change->display_name;
        update->display_name_len = input->display_name_len;
    }
    change->read_receipts = input->read_receipts;
    change->show_presence = input->show_presence;
    update->read_receipts = input->has_read_receipts ? &change->read_receipts : NULL;
    update->show_presence = input->has_show_presence ? &change->show_presence : NULL;
}

static change_t *change_create(pl_api_t *api, pl_request_t *request,
                               const pl_profile_input_t *input)
{
    change_t *change = pl_calloc(1, sizeof(*change));

    change->api = api;
    change->request = pl_request_ref(request);
    change->work.loop = api->loop;
    take_settings(change, input);
    if (input->password != NULL) {
        memcpy(change->password, input->password, input->password_len);
        change->password_len = input->password_len;
    }
    if (input->current_password != NULL) {
        memcpy(change->current_password, input->current_password, input->current_password_len);
        change->current_password_len = input->current_password_len;
    }
    return change;
}

static void on_stored(pl_op_t *op)
{
    change_t *change = H2O_STRUCT_FROM_MEMBER(change_t, update.read.op, op);

    if (op->error != PL_OK) {
        pl_api_reply_failure(change->request, op);
    } else {
        if (change->update.show_presence != NULL)
            pl_presence_reconsider(change->api->deps.presence, change->update.read.user_id);
        reply_account(change->request, &change->update.read);
    }
    change_destroy(change);
}

static void store(change_t *change)
{
    pl_account_read_t *read = &change->update.read;

    pl_account_read_dispose(read);
    prepare_read(read, change->api, read->user_id, on_stored);
    read->op.kind = &pl_account_update_kind;
    if (pl_lane_submit(pl_cluster_write_lane(change->api->deps.cluster, read->user_id),
                       &read->op) != 0) {
        pl_api_reply_overloaded(change->request);
        change_destroy(change);
    }
}

static void on_hashed(pl_password_work_t *work, pl_password_job_t *job)
{
    change_t *change = H2O_STRUCT_FROM_MEMBER(change_t, work, work);

    if (job->result == PL_PASSWORD_HASHED && pl_request_is_live(change->request)) {
        memcpy(change->hash, job->hash, sizeof(change->hash));
        change->update.password_hash = change->hash;
        store(change);
    } else {
        pl_password_work_reply_failure(change->request, job);
        change_destroy(change);
    }
    pl_password_job_free(&job);
}

static void hash_and_store(change_t *change)
{
    if (change->password_len == 0) {
        store(change);
        return;
    }
    change->work.on_done = on_hashed;
    if (pl_password_work_hash(&change->work, change->api->deps.passwords, change->password,
                              change->password_len) != 0) {
        pl_api_reply_overloaded(change->request);
        change_destroy(change);
    }
}

static void on_verified(pl_password_work_t *work, pl_password_job_t *job)
{
    change_t *change = H2O_STRUCT_FROM_MEMBER(change_t, work, work);

    if (job->result == PL_PASSWORD_MATCH && pl_request_is_live(change->request)) {
        hash_and_store(change);
    } else if (job->result == PL_PASSWORD_MISMATCH) {
        pl_problem_reply(change->request, PL_PROBLEM_FORBIDDEN,
                         "currentPassword is not the caller's password. Nothing has changed.");
        change_destroy(change);
    } else {
        pl_password_work_reply_failure(change->request, job);
        change_destroy(change);
    }
    pl_password_job_free(&job);
}

static void verify(change_t *change, const char *hash)
{
    change->work.on_done = on_verified;
    if (pl_password_work_verify(&change->work, change->api->deps.passwords,
                                change->current_password, change->current_password_len,
                                hash) != 0) {
        pl_api_reply_overloaded(change->request);
        change_destroy(change);
    }
}

static void on_account_read(pl_op_t *op)
{
    change_t *change = H2O_STRUCT_FROM_MEMBER(change_t, update.read.op, op);
    pl_account_t account;

    if (op->error != PL_OK) {
        pl_api_reply_failure(change->request, op);
        change_destroy(change);
    } else if (!pl_account_read_get(&change->update.read, &account)) {
        pl_api_reply_no_caller(change->request);
        change_destroy(change);
    } else if (!pl_request_is_live(change->request)) {
        change_destroy(change);
    } else {
        verify(change, account.password_hash);
    }
}

static void change_begin(change_t *change, int64_t user_id)
{
    pl_account_read_t *read = &change->update.read;

    read->user_id = user_id;
    if (change->current_password_len == 0) {
        hash_and_store(change);
        return;
    }
    prepare_read(read, change->api, user_id, on_account_read);
    if (pl_lane_submit(pl_cluster_read_lane(change->api->deps.cluster, read->op.shard),
                       &read->op) != 0) {
        pl_api_reply_overloaded(change->request);
        change_destroy(change);
    }
}

static void on_update_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    int64_t user_id = pl_api_caller(api, request);
    pl_profile_input_t input;
    pl_refusal_t refusal;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    if (pl_profile_input_decode(body.data, body.len, &input, &refusal) != 0) {
        pl_refusal_reply(request, &refusal);
        return;
    }
    change_begin(change_create(api, request, &input), user_id);
    pl_profile_input_dispose(&input);
}

/* ---- deleteMe ---- */

typedef struct erasure {
    pl_api_t *api;
} erasure_t;

static void reply_erased(pl_request_t *request, const pl_change_t *change, bool is_complete,
                         void *arg)
{
    const erasure_t *erasure = arg;
    (void)is_complete;

    if (!pl_change_is(change, "done")) {
        pl_api_reply_no_caller(request);
        return;
    }
    pl_erased_users_add(erasure->api->deps.erased_users, change->mailbox_id);
    pl_presence_reconsider(erasure->api->deps.presence, change->mailbox_id);
    pl_request_reply_no_content(request);
}

static void on_delete_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    erasure_t *erasure = pl_calloc(1, sizeof(*erasure));
    erasure->api = api;
    pl_json_object_begin(&argument);
    pl_json_key(&argument, "timestamp");
    pl_json_int64(&argument, pl_clock_now_us());
    pl_json_object_end(&argument);
    pl_change_flow_start(api, request,
                         &(pl_change_order_t){.kind = "erase",
                                              .mailbox_id = user_id,
                                              .argument = &argument,
                                              .reply = reply_erased,
                                              .arg = erasure});
}

const pl_route_t pl_api_me_routes[] = {
    {"fetchMe", "GET", "/v1/users/me", on_fetch_me, 0},
    {"updateMe", "PATCH", "/v1/users/me", on_update_me, PL_ROUTE_BODY},
    {"deleteMe", "DELETE", "/v1/users/me", on_delete_me, 0},
};
const size_t pl_api_me_routes_count = sizeof(pl_api_me_routes) / sizeof(pl_api_me_routes[0]);
