#include "store/unread.h"

/* Reads that one statement makes at most: each looks at up to 1,000 conversations. */
#define READS_MAX 32

enum column {
    COLUMN_READ,
    COLUMN_CONVERSATIONS,
    COLUMN_MESSAGES,
    COLUMN_HAS_MORE,
};

static pl_unread_read_t *at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_unread_read_t, op, ops[i]);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->user_id);
    pl_params_array_end(params);
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        at(ops, i)->found = false;
    for (int row = 0; row < PQntuples(result); row++) {
        pl_unread_read_t *read = at(ops, (size_t)pl_result_int32(result, row, COLUMN_READ) - 1);
        read->found = true;
        read->conversations_count = pl_result_int32(result, row, COLUMN_CONVERSATIONS);
        read->messages_count = pl_result_int64(result, row, COLUMN_MESSAGES);
        read->has_more = pl_result_bool(result, row, COLUMN_HAS_MORE);
    }
    return false;
}

const pl_op_kind_t pl_unread_read_kind = {
    .name = "fetch_unread",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_unread($1)",
    .max_ops = READS_MAX,
    .encode = encode,
    .decode = decode,
};
