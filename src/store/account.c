#include "store/account.h"

#include <string.h>

enum account_column {
    COLUMN_USER_ID,
    COLUMN_USERNAME,
    COLUMN_DISPLAY_NAME,
    COLUMN_PASSWORD_HASH,
    COLUMN_CREATED_TIMESTAMP,
    COLUMN_READ_RECEIPTS,
    COLUMN_SHOW_PRESENCE,
    COLUMN_GROUP_INVITES,
    COLUMN_METADATA,
    COLUMN_DELETED_TIMESTAMP,
    COLUMN_SESSIONS_ENDED_TIMESTAMP, /* of an update */
};

static void text(pl_params_t *params, const char *value)
{
    pl_params_text(params, value, value != NULL ? strlen(value) : 0);
}

static const char *text_or_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static void encode_create(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_account_create_t *create = H2O_STRUCT_FROM_MEMBER(pl_account_create_t, op, ops[0]);
    (void)count;
    pl_params_int64(params, create->user_id);
    text(params, create->username);
    text(params, create->display_name);
    text(params, create->password_hash);
    pl_params_int64(params, create->created_us);
    text(params, create->metadata);
}

static bool decode_create(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_account_create_t *create = H2O_STRUCT_FROM_MEMBER(pl_account_create_t, op, ops[0]);
    const char *outcome = PQgetvalue(result, 0, 0);
    (void)count;
    if (strcmp(outcome, "created") == 0)
        create->outcome = PL_ACCOUNT_CREATED;
    else if (strcmp(outcome, "username-taken") == 0)
        create->outcome = PL_ACCOUNT_USERNAME_TAKEN;
    else
        create->outcome = PL_ACCOUNT_ID_TAKEN;
    return false;
}

static void encode_fetch(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_params_int64(params, H2O_STRUCT_FROM_MEMBER(pl_account_read_t, op, ops[0])->user_id);
}

static void encode_find(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    text(params, H2O_STRUCT_FROM_MEMBER(pl_account_read_t, op, ops[0])->username);
}

static void encode_update(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_account_update_t *update = H2O_STRUCT_FROM_MEMBER(pl_account_update_t, read.op,
                                                               ops[0]);
    (void)count;
    pl_params_int64(params, update->read.user_id);
    pl_params_text(params, update->display_name, update->display_name_len);
    text(params, update->password_hash);
    pl_params_bool(params, update->read_receipts);
    pl_params_bool(params, update->show_presence);
    text(params, update->group_invites);
    text(params, update->metadata);
    text(params, update->verified_hash);
    pl_params_int64(params, update->kept_session_id);
}

static bool decode_read(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_account_read_t *read = H2O_STRUCT_FROM_MEMBER(pl_account_read_t, op, ops[0]);
    (void)count;
    PQclear(read->result); /* of an attempt whose transaction failed */
    read->result = result;
    return true;
}

const pl_op_kind_t pl_account_create_kind = {
    .name = "create_account",
    .sql = "SELECT ",
    .sql_tail = ".create_account($1, $2, $3, $4, $5, $6)",
    .max_ops = 1,
    .encode = encode_create,
    .decode = decode_create,
};

#define ACCOUNT_COLUMNS                                                          \
    "SELECT user_id, username, display_name, password_hash, created_timestamp, " \
    "read_receipts, show_presence, group_invites, metadata, "

const pl_op_kind_t pl_account_fetch_kind = {
    .name = "fetch_account",
    .sql = ACCOUNT_COLUMNS "deleted_timestamp FROM ",
    .sql_tail = ".fetch_account($1)",
    .max_ops = 1,
    .encode = encode_fetch,
    .decode = decode_read,
};

const pl_op_kind_t pl_account_find_kind = {
    .name = "find_account",
    .sql = ACCOUNT_COLUMNS "NULL::bigint FROM ",
    .sql_tail = ".find_account($1)",
    .max_ops = 1,
    .encode = encode_find,
    .decode = decode_read,
};

const pl_op_kind_t pl_account_update_kind = {
    .name = "update_account",
    .sql = ACCOUNT_COLUMNS "NULL::bigint, sessions_ended_timestamp FROM ",
    .sql_tail = ".update_account($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    .max_ops = 1,
    .encode = encode_update,
    .decode = decode_read,
};

bool pl_account_read_get(const pl_account_read_t *read, pl_account_t *account_r)
{
    const PGresult *result = read->result;

    if (PQntuples(result) == 0 || !PQgetisnull(result, 0, COLUMN_DELETED_TIMESTAMP))
        return false;
    account_r->user_id = pl_result_int64(result, 0, COLUMN_USER_ID);
    account_r->username = PQgetvalue(result, 0, COLUMN_USERNAME);
    account_r->display_name = PQgetvalue(result, 0, COLUMN_DISPLAY_NAME);
    account_r->password_hash = text_or_null(result, 0, COLUMN_PASSWORD_HASH);
    account_r->created_us = pl_result_int64(result, 0, COLUMN_CREATED_TIMESTAMP);
    account_r->read_receipts = pl_result_bool(result, 0, COLUMN_READ_RECEIPTS);
    account_r->show_presence = pl_result_bool(result, 0, COLUMN_SHOW_PRESENCE);
    account_r->group_invites = PQgetvalue(result, 0, COLUMN_GROUP_INVITES);
    account_r->metadata = text_or_null(result, 0, COLUMN_METADATA);
    return true;
}

const char *pl_account_read_hash(const pl_account_read_t *read)
{
    pl_account_t account;

    return pl_account_read_get(read, &account) ? account.password_hash : NULL;
}

int64_t pl_account_read_deleted_us(const pl_account_read_t *read)
{
    if (PQntuples(read->result) == 0)
        return 0;
    return pl_result_int64(read->result, 0, COLUMN_DELETED_TIMESTAMP);
}

int64_t pl_account_update_sessions_ended_us(const pl_account_update_t *update)
{
    return pl_result_int64(update->read.result, 0, COLUMN_SESSIONS_ENDED_TIMESTAMP);
}

void pl_account_read_dispose(pl_account_read_t *read)
{
    PQclear(read->result);
    read->result = NULL;
}

/* ---- users ---- */

enum user_column {
    USER_ID,
    USER_USERNAME,
    USER_DISPLAY_NAME,
    USER_CREATED_TIMESTAMP,
    USER_METADATA,
    USER_DELETED_TIMESTAMP,
};

static pl_users_read_t *users_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_users_read_t, op, op);
}

static void encode_users(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_users_read_t *read = users_of(ops[0]);
    (void)count;
    pl_params_int64_array(params, read->count);
    for (size_t i = 0; i < read->count; i++)
        pl_params_element_int64(params, read->user_ids[i]);
    pl_params_array_end(params);
}

static bool decode_users(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_users_read_t *read = users_of(ops[0]);
    (void)count;
    PQclear(read->result); /* of an attempt whose transaction failed */
    read->result = result;
    return true;
}

#define USERS .name = "fetch_users", .max_ops = 1, .encode = encode_users, .decode = decode_users

const pl_op_kind_t pl_users_in_shard_kind = {USERS, .sql = "SELECT * FROM ",
                                             .sql_tail = ".fetch_users($1)"};
const pl_op_kind_t pl_users_in_database_kind = {USERS,
                                                .sql = "SELECT * FROM parley.fetch_users($1)"};

size_t pl_users_read_length(const pl_users_read_t *read)
{
    return (size_t)PQntuples(read->result);
}

void pl_users_read_get(const pl_users_read_t *read, size_t index, pl_user_t *user_r)
{
    const PGresult *result = read->result;
    int row = (int)index;

    *user_r = (pl_user_t){
        .account =
            {
                .user_id = pl_result_int64(result, row, USER_ID),
                .username = PQgetvalue(result, row, USER_USERNAME),
                .display_name = PQgetvalue(result, row, USER_DISPLAY_NAME),
                .created_us = pl_result_int64(result, row, USER_CREATED_TIMESTAMP),
                .metadata = text_or_null(result, row, USER_METADATA),
            },
        .deleted_us = pl_result_int64(result, row, USER_DELETED_TIMESTAMP),
    };
}

void pl_users_read_dispose(pl_users_read_t *read)
{
    PQclear(read->result);
    read->result = NULL;
}

/* ---- presence ---- */

static pl_shown_read_t *shown_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_shown_read_t, op, op);
}

static void encode_shown(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_shown_read_t *read = shown_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->viewer_id);
    pl_params_int64_array(params, read->count);
    for (size_t i = 0; i < read->count; i++)
        pl_params_element_int64(params, read->user_ids[i]);
    pl_params_array_end(params);
}

static bool decode_shown(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_shown_read_t *read = shown_of(ops[0]);
    pl_result_array_t shown = pl_result_array(result, 0, 0);
    (void)count;
    for (size_t i = 0; i < read->count; i++)
        read->is_shown[i] = pl_result_array_bool(&shown, i);
    return false;
}

#define SHOWN .name = "shows_presence", .max_ops = 1, .encode = encode_shown, .decode = decode_shown

const pl_op_kind_t pl_shown_in_shard_kind = {SHOWN, .sql = "SELECT ",
                                             .sql_tail = ".shows_presence($1, $2)"};
const pl_op_kind_t pl_shown_in_database_kind = {SHOWN,
                                                .sql = "SELECT parley.shows_presence($1, $2)"};
