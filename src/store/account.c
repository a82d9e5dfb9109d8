#include "store/account.h"

#include <string.h>

enum account_column {
    COLUMN_USER_ID,
    COLUMN_USERNAME,
    COLUMN_DISPLAY_NAME,
    COLUMN_PASSWORD_HASH,
    COLUMN_CREATED_TIMESTAMP,
};

static void text(pl_params_t *params, const char *value)
{
    pl_params_text(params, value, value != NULL ? strlen(value) : 0);
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

static bool decode_read(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_account_read_t *read = H2O_STRUCT_FROM_MEMBER(pl_account_read_t, op, ops[0]);
    (void)count;
    PQclear(read->result); /* of an attempt that failed after all */
    read->result = result;
    return true;
}

const pl_op_kind_t pl_account_create_kind = {
    .name = "create_account",
    .sql = "SELECT ",
    .sql_tail = ".create_account($1, $2, $3, $4, $5)",
    .max_ops = 1,
    .encode = encode_create,
    .decode = decode_create,
};

#define ACCOUNT_COLUMNS \
    "SELECT user_id, username, display_name, password_hash, created_timestamp FROM "

const pl_op_kind_t pl_account_fetch_kind = {
    .name = "fetch_account",
    .sql = ACCOUNT_COLUMNS,
    .sql_tail = ".fetch_account($1)",
    .max_ops = 1,
    .encode = encode_fetch,
    .decode = decode_read,
};

const pl_op_kind_t pl_account_find_kind = {
    .name = "find_account",
    .sql = ACCOUNT_COLUMNS,
    .sql_tail = ".find_account($1)",
    .max_ops = 1,
    .encode = encode_find,
    .decode = decode_read,
};

bool pl_account_read_get(const pl_account_read_t *read, pl_account_t *account_r)
{
    const PGresult *result = read->result;

    if (PQntuples(result) == 0)
        return false;
    account_r->user_id = pl_result_int64(result, 0, COLUMN_USER_ID);
    account_r->username = PQgetvalue(result, 0, COLUMN_USERNAME);
    account_r->display_name = PQgetvalue(result, 0, COLUMN_DISPLAY_NAME);
    account_r->password_hash = PQgetisnull(result, 0, COLUMN_PASSWORD_HASH)
                                   ? NULL
                                   : PQgetvalue(result, 0, COLUMN_PASSWORD_HASH);
    account_r->created_us = pl_result_int64(result, 0, COLUMN_CREATED_TIMESTAMP);
    return true;
}

void pl_account_read_dispose(pl_account_read_t *read)
{
    PQclear(read->result);
    read->result = NULL;
}
