#include "store/block.h"

/* Columns of fetch_blocks. */
enum column { COLUMN_BLOCKED_ID, COLUMN_BLOCKED_TIMESTAMP };

/* ---- a page ---- */

static pl_blocks_read_t *read_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_blocks_read_t, op, op);
}

static void encode_read(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_blocks_read_t *read = read_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->user_id);
    pl_params_int64(params, read->after);
    pl_params_int32(params, read->page_size);
}

static bool decode_read(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_blocks_read_t *read = read_of(ops[0]);
    int rows = PQntuples(result);
    (void)count;

    read->found = rows > 0;
    read->has_more = rows > read->page_size;
    read->count = 0;
    for (int row = 0; row < rows && row < read->page_size; row++)
        if (!PQgetisnull(result, row, COLUMN_BLOCKED_ID))
            read->blocks[read->count++] = (pl_block_t){
                .blocked_id = pl_result_int64(result, row, COLUMN_BLOCKED_ID),
                .blocked_us = pl_result_int64(result, row, COLUMN_BLOCKED_TIMESTAMP),
            };
    return false;
}

const pl_op_kind_t pl_blocks_read_kind = {
    .name = "fetch_blocks",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_blocks($1, $2, $3)",
    .max_ops = 1,
    .encode = encode_read,
    .decode = decode_read,
};

/* ---- checks ---- */

static pl_block_check_t *check_at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_block_check_t, op, ops[i]);
}

static void encode_checks(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, check_at(ops, i)->user_id);
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, check_at(ops, i)->other_id);
    pl_params_array_end(params);
}

static bool decode_checks(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_result_array_t blocked = pl_result_array(result, 0, 0);

    for (size_t i = 0; i < count; i++)
        check_at(ops, i)->is_blocked = pl_result_array_bool(&blocked, i);
    return false;
}

const pl_op_kind_t pl_block_check_kind = {
    .name = "have_blocked",
    .sql = "SELECT ",
    .sql_tail = ".have_blocked($1, $2)",
    .max_ops = SIZE_MAX,
    .encode = encode_checks,
    .decode = decode_checks,
};
