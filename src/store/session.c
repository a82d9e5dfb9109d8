#include "store/session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void text(pl_params_t *params, const char *value)
{
    pl_params_text(params, value, value != NULL ? strlen(value) : 0);
}

static const char *text_or_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

/* Keeps the result in place of that of an attempt whose transaction failed. */
static bool keep(PGresult **kept, PGresult *result)
{
    PQclear(*kept);
    *kept = result;
    return true;
}

static void dispose(PGresult **kept)
{
    PQclear(*kept);
    *kept = NULL;
}

/* ---- create ---- */

enum create_column { CREATE_SESSION_ID, CREATE_CLOSED_IDS, CREATE_CLOSED_TIMESTAMP };

static pl_session_create_t *create_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_session_create_t, op, op);
}

static void encode_create(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_session_create_t *create = create_of(ops[0]);
    (void)count;
    pl_params_int64(params, create->user_id);
    text(params, create->verified_hash);
    text(params, create->secret_hash);
    text(params, create->salt);
    pl_params_text(params, create->device_name, create->device_name_len);
    text(params, create->address);
    pl_params_int64(params, create->lifetime_us);
    pl_params_int32(params, create->max_sessions);
}

static bool decode_create(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_session_create_t *create = create_of(ops[0]);
    (void)count;

    create->session_id = 0;
    create->closed_count = 0;
    if (PQntuples(result) == 0)
        return false;
    pl_result_array_t closed = pl_result_array(result, 0, CREATE_CLOSED_IDS);
    create->session_id = pl_result_int64(result, 0, CREATE_SESSION_ID);
    create->closed_us = pl_result_int64(result, 0, CREATE_CLOSED_TIMESTAMP);
    for (size_t i = 0; i < closed.count && i < PL_SESSIONS_MAX; i++)
        create->closed_ids[create->closed_count++] = pl_result_array_int64(&closed, i);
    return false;
}

const pl_op_kind_t pl_session_create_kind = {
    .name = "create_session",
    .sql = "SELECT * FROM ",
    .sql_tail = ".create_session($1, $2, $3, $4, $5, $6, $7, $8)",
    .max_ops = 1,
    .encode = encode_create,
    .decode = decode_create,
};

/* ---- find ---- */

enum find_column { FIND_GENERATION, FIND_ROTATIONS, FIND_SALT, FIND_CURRENT_HASH, FIND_CLOCK };

static pl_session_find_t *find_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_session_find_t, op, op);
}

static void encode_find(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_session_find_t *find = find_of(ops[0]);
    (void)count;
    pl_params_int64(params, find->user_id);
    pl_params_int64(params, find->session_id);
}

static bool decode_find(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_session_find_t *find = find_of(ops[0]);
    (void)count;

    find->found = PQntuples(result) > 0;
    if (!find->found)
        return false;
    pl_result_array_t rotations = pl_result_array(result, 0, FIND_ROTATIONS);
    find->generation = pl_result_int32(result, 0, FIND_GENERATION);
    find->now_us = pl_result_int64(result, 0, FIND_CLOCK);
    find->rotations_count = 0;
    for (size_t i = 0; i < rotations.count && i < PL_SESSION_ROTATIONS_MAX; i++)
        find->rotations_us[find->rotations_count++] = pl_result_array_int64(&rotations, i);
    (void)snprintf(find->salt, sizeof(find->salt), "%s", PQgetvalue(result, 0, FIND_SALT));
    (void)snprintf(find->current_hash, sizeof(find->current_hash), "%s",
                   PQgetvalue(result, 0, FIND_CURRENT_HASH));
    return false;
}

const pl_op_kind_t pl_session_find_kind = {
    .name = "find_session",
    .sql = "SELECT * FROM ",
    .sql_tail = ".find_session($1, $2)",
    .max_ops = 1,
    .encode = encode_find,
    .decode = decode_find,
};

/* ---- rotate ---- */

static pl_session_rotate_t *rotate_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_session_rotate_t, op, op);
}

static void encode_rotate(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_session_rotate_t *rotate = rotate_of(ops[0]);
    (void)count;
    pl_params_int64(params, rotate->user_id);
    pl_params_int64(params, rotate->session_id);
    text(params, rotate->old_hash);
    text(params, rotate->new_hash);
    text(params, rotate->address);
    pl_params_int64(params, rotate->lifetime_us);
}

static bool decode_rotate(PGresult *result, pl_op_t *const *ops, size_t count)
{
    (void)count;
    rotate_of(ops[0])->is_rotated = pl_result_bool(result, 0, 0);
    return false;
}

const pl_op_kind_t pl_session_rotate_kind = {
    .name = "rotate_session",
    .sql = "SELECT ",
    .sql_tail = ".rotate_session($1, $2, $3, $4, $5, $6)",
    .max_ops = 1,
    .encode = encode_rotate,
    .decode = decode_rotate,
};

/* ---- end ---- */

enum end_column { END_STATUS, END_TIMESTAMP };

static pl_session_end_t *end_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_session_end_t, op, op);
}

static void encode_end(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_session_end_t *end = end_of(ops[0]);
    (void)count;
    pl_params_int64(params, end->user_id);
    pl_params_int64(params, end->session_id);
    pl_params_int64(params, end->kept_id);
    pl_params_bool(params, &end->ends_tokens);
}

static bool decode_end(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_session_end_t *end = end_of(ops[0]);
    (void)count;
    (void)snprintf(end->status, sizeof(end->status), "%s", PQgetvalue(result, 0, END_STATUS));
    end->ended_us = pl_result_int64(result, 0, END_TIMESTAMP);
    return false;
}

const pl_op_kind_t pl_session_end_kind = {
    .name = "end_sessions",
    .sql = "SELECT * FROM ",
    .sql_tail = ".end_sessions($1, $2, $3, $4)",
    .max_ops = 1,
    .encode = encode_end,
    .decode = decode_end,
};

/* ---- the list ---- */

enum list_column {
    LIST_SESSION_ID,
    LIST_DEVICE_NAME,
    LIST_ADDRESS,
    LIST_CREATED_TIMESTAMP,
    LIST_LAST_SEEN_TIMESTAMP,
    LIST_EXPIRES_TIMESTAMP,
};

static pl_sessions_read_t *read_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_sessions_read_t, op, op);
}

static void encode_read(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_params_int64(params, read_of(ops[0])->user_id);
}

static bool decode_read(PGresult *result, pl_op_t *const *ops, size_t count)
{
    (void)count;
    return keep(&read_of(ops[0])->result, result);
}

const pl_op_kind_t pl_sessions_read_kind = {
    .name = "fetch_sessions",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_sessions($1)",
    .max_ops = 1,
    .encode = encode_read,
    .decode = decode_read,
};

bool pl_sessions_read_found(const pl_sessions_read_t *read)
{
    return PQntuples(read->result) > 0;
}

size_t pl_sessions_read_length(const pl_sessions_read_t *read)
{
    bool is_empty = PQntuples(read->result) == 0 || PQgetisnull(read->result, 0, LIST_SESSION_ID);
    return is_empty ? 0 : (size_t)PQntuples(read->result);
}

void pl_sessions_read_get(const pl_sessions_read_t *read, size_t index, pl_session_t *session_r)
{
    const PGresult *result = read->result;
    int row = (int)index;

    *session_r = (pl_session_t){
        .session_id = pl_result_int64(result, row, LIST_SESSION_ID),
        .device_name = text_or_null(result, row, LIST_DEVICE_NAME),
        .address = text_or_null(result, row, LIST_ADDRESS),
        .created_us = pl_result_int64(result, row, LIST_CREATED_TIMESTAMP),
        .last_seen_us = pl_result_int64(result, row, LIST_LAST_SEEN_TIMESTAMP),
        .expires_us = pl_result_int64(result, row, LIST_EXPIRES_TIMESTAMP),
    };
}

void pl_sessions_read_dispose(pl_sessions_read_t *read)
{
    dispose(&read->result);
}

/* ---- check ---- */

enum check_column { CHECK_IS_OPEN, CHECK_TOKENS_TIMESTAMP };

static pl_session_check_t *check_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_session_check_t, op, op);
}

static void encode_check(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_session_check_t *check = check_of(ops[0]);
    (void)count;
    pl_params_int64(params, check->user_id);
    pl_params_int64(params, check->session_id);
}

static bool decode_check(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_session_check_t *check = check_of(ops[0]);
    (void)count;
    check->is_open = pl_result_bool(result, 0, CHECK_IS_OPEN);
    check->tokens_us = pl_result_int64(result, 0, CHECK_TOKENS_TIMESTAMP);
    return false;
}

const pl_op_kind_t pl_session_check_kind = {
    .name = "check_session",
    .sql = "SELECT * FROM ",
    .sql_tail = ".check_session($1, $2)",
    .max_ops = 1,
    .encode = encode_check,
    .decode = decode_check,
};

/* ---- endings ---- */

enum ending_column {
    ENDING_USER_ID,
    ENDING_SESSION_ID,
    ENDING_ENDED_TIMESTAMP,
    ENDING_KEPT_SESSION_ID,
    ENDING_TOKENS_TIMESTAMP,
    ENDING_IS_ERASED,
};

static pl_endings_read_t *endings_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_endings_read_t, op, op);
}

static void encode_endings(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_endings_read_t *read = endings_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->since_us);
    pl_params_int64(params, read->since_all);
    pl_params_int32(params, read->page_size);
}

static bool decode_endings(PGresult *result, pl_op_t *const *ops, size_t count)
{
    (void)count;
    return keep(&endings_of(ops[0])->result, result);
}

const pl_op_kind_t pl_endings_read_kind = {
    .name = "fetch_endings",
    .sql = "SELECT * FROM parley.fetch_endings($1, $2, $3)",
    .max_ops = 1,
    .encode = encode_endings,
    .decode = decode_endings,
};

int64_t pl_endings_read_clock_us(const pl_endings_read_t *read)
{
    return pl_result_int64(read->result, 0, ENDING_ENDED_TIMESTAMP);
}

/* The first row is the clock's. */
size_t pl_endings_read_length(const pl_endings_read_t *read)
{
    assert(PQntuples(read->result) > 0);
    return (size_t)PQntuples(read->result) - 1;
}

void pl_endings_read_get(const pl_endings_read_t *read, size_t index, pl_ending_row_t *row_r)
{
    const PGresult *result = read->result;
    int row = (int)index + 1;

    *row_r = (pl_ending_row_t){
        .user_id = pl_result_int64(result, row, ENDING_USER_ID),
        .session_id = pl_result_int64(result, row, ENDING_SESSION_ID),
        .ended_us = pl_result_int64(result, row, ENDING_ENDED_TIMESTAMP),
        .kept_id = pl_result_int64(result, row, ENDING_KEPT_SESSION_ID),
        .tokens_us = pl_result_int64(result, row, ENDING_TOKENS_TIMESTAMP),
        .is_erased = pl_result_bool(result, row, ENDING_IS_ERASED),
    };
}

void pl_endings_read_dispose(pl_endings_read_t *read)
{
    dispose(&read->result);
}

/* ---- expire ---- */

static pl_sessions_expire_t *expire_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_sessions_expire_t, op, op);
}

static void encode_expire(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_sessions_expire_t *expire = expire_of(ops[0]);
    (void)count;
    pl_params_int64(params, expire->keep_us);
    pl_params_int64(params, expire->keep_all_us);
    pl_params_int32(params, expire->page_size);
}

static bool decode_expire(PGresult *result, pl_op_t *const *ops, size_t count)
{
    (void)count;
    expire_of(ops[0])->expired_count = pl_result_int32(result, 0, 0);
    return false;
}

const pl_op_kind_t pl_sessions_expire_kind = {
    .name = "expire_sessions",
    .sql = "SELECT parley.expire_sessions($1, $2, $3)",
    .max_ops = 1,
    .encode = encode_expire,
    .decode = decode_expire,
};
