#include "store/mailbox.h"

#include <stdlib.h>

#include "base/memory.h"

static pl_version_read_t *at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_version_read_t, op, ops[i]);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->user_id);
    pl_params_array_end(params);
}

typedef struct row {
    int64_t user_id;
    int64_t version;
} row_t;

static int compare_rows(const void *a, const void *b)
{
    const row_t *left = a, *right = b;
    return (left->user_id > right->user_id) - (left->user_id < right->user_id);
}

/* The rows come in no order, and one user may be asked for by several operations. */
static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    size_t rows_count = (size_t)PQntuples(result);
    row_t *rows = pl_malloc(rows_count * sizeof(*rows));

    for (size_t i = 0; i < rows_count; i++)
        rows[i] = (row_t){.user_id = pl_result_int64(result, (int)i, 0),
                          .version = pl_result_int64(result, (int)i, 1)};
    qsort(rows, rows_count, sizeof(*rows), compare_rows);
    for (size_t i = 0; i < count; i++) {
        pl_version_read_t *read = at(ops, i);
        const row_t *row = bsearch(&(row_t){.user_id = read->user_id}, rows, rows_count,
                                   sizeof(*rows), compare_rows);
        read->found = row != NULL;
        read->version = row != NULL ? row->version : 0;
    }
    free(rows);
    return false;
}

const pl_op_kind_t pl_version_read_kind = {
    .name = "mailbox_versions",
    .sql = "SELECT user_id, version FROM ",
    .sql_tail = ".mailbox_versions($1)",
    .max_ops = SIZE_MAX,
    .encode = encode,
    .decode = decode,
};
