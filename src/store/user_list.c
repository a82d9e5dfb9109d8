#include "store/user_list.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* Columns of the lists' functions. */
enum column { COLUMN_STATUS, COLUMN_PAGE };

/* ---- lists ---- */

static pl_user_list_read_t *list_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_user_list_read_t, op, op);
}

static void encode_group_members(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_user_list_read_t *read = list_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->home_id);
    pl_params_int64(params, read->other_id);
    pl_params_int64(params, read->visible_reads);
    pl_params_int64(params, read->after);
    pl_params_int32(params, read->page_size);
}

static void encode_group_receipts(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_user_list_read_t *read = list_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->home_id);
    pl_params_int64(params, read->other_id);
    pl_params_int64(params, read->message_id);
    pl_params_int64(params, read->visible_reads);
    pl_params_int64(params, read->after);
    pl_params_int32(params, read->page_size);
}

static void encode_receipts(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_user_list_read_t *read = list_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->home_id);
    pl_params_int64(params, read->other_id);
    pl_params_int64(params, read->message_id);
    pl_params_int64(params, read->after);
}

static void encode_reactions(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_user_list_read_t *read = list_of(ops[0]);
    (void)count;
    pl_params_int64(params, read->home_id);
    pl_params_int64(params, read->other_id);
    pl_params_int64(params, read->message_id);
    pl_params_text(params, read->emoji, read->emoji_len);
    pl_params_int64(params, read->after);
    pl_params_int32(params, read->page_size);
}

static bool decode_list(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_user_list_read_t *read = list_of(ops[0]);
    (void)count;

    (void)snprintf(read->status, sizeof(read->status), "%s", PQgetvalue(result, 0, COLUMN_STATUS));
    free(read->json); /* of an attempt whose transaction failed */
    read->json = PQgetisnull(result, 0, COLUMN_PAGE)
                     ? NULL
                     : pl_strdup(PQgetvalue(result, 0, COLUMN_PAGE));
    read->json_len = (size_t)PQgetlength(result, 0, COLUMN_PAGE);
    return false;
}

const pl_op_kind_t pl_group_members_list_kind = {
    .name = "fetch_group_members",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_group_members($1, $2, $3, $4, $5)",
    .max_ops = 1,
    .encode = encode_group_members,
    .decode = decode_list,
};

const pl_op_kind_t pl_group_receipts_list_kind = {
    .name = "fetch_group_receipts",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_group_receipts($1, $2, $3, $4, $5, $6)",
    .max_ops = 1,
    .encode = encode_group_receipts,
    .decode = decode_list,
};

const pl_op_kind_t pl_receipts_list_kind = {
    .name = "fetch_receipts",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_receipts($1, $2, $3, $4)",
    .max_ops = 1,
    .encode = encode_receipts,
    .decode = decode_list,
};

const pl_op_kind_t pl_reactions_list_kind = {
    .name = "fetch_reactions",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_reactions($1, $2, $3, $4, $5, $6)",
    .max_ops = 1,
    .encode = encode_reactions,
    .decode = decode_list,
};

/* ---- visible reads ---- */

static pl_visible_reads_t *reads_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_visible_reads_t, op, op);
}

static void encode_visible_reads(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_params_int64(params, reads_of(ops[0])->user_id);
    pl_params_int64(params, reads_of(ops[0])->group_id);
}

static bool decode_visible_reads(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_visible_reads_t *read = reads_of(ops[0]);
    (void)count;

    read->found = !PQgetisnull(result, 0, 0);
    read->up_to = read->found ? pl_result_int64(result, 0, 0) : 0;
    return false;
}

const pl_op_kind_t pl_visible_reads_kind = {
    .name = "visible_reads",
    .sql = "SELECT ",
    .sql_tail = ".visible_reads($1, $2)",
    .max_ops = 1,
    .encode = encode_visible_reads,
    .decode = decode_visible_reads,
};
