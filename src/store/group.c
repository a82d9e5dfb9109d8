#include "store/group.h"

#include <stdlib.h>

#include "base/memory.h"

static pl_group_read_t *group_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_group_read_t, op, op);
}

static void encode_group(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_params_int64(params, group_of(ops[0])->group_id);
    pl_params_int64(params, group_of(ops[0])->caller_id);
}

static bool decode_group(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_group_read_t *read = group_of(ops[0]);
    (void)count;

    free(read->json);
    read->json = PQgetisnull(result, 0, 0) ? NULL : pl_strdup(PQgetvalue(result, 0, 0));
    read->json_len = (size_t)PQgetlength(result, 0, 0);
    return false;
}

const pl_op_kind_t pl_group_read_kind = {
    .name = "fetch_group",
    .sql = "SELECT ",
    .sql_tail = ".fetch_group($1, $2)",
    .max_ops = 1,
    .encode = encode_group,
    .decode = decode_group,
};

static pl_group_members_read_t *members_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_group_members_read_t, op, op);
}

static void encode_members(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_params_int64(params, members_of(ops[0])->member_id);
    pl_params_int64(params, members_of(ops[0])->group_id);
}

static bool decode_members(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_group_members_read_t *read = members_of(ops[0]);
    pl_result_array_t ids = pl_result_array(result, 0, 0);
    (void)count;

    read->count = ids.count < PL_GROUP_MEMBERS_MAX ? ids.count : PL_GROUP_MEMBERS_MAX;
    for (size_t i = 0; i < read->count; i++)
        read->members[i] = pl_result_array_int64(&ids, i);
    return false;
}

const pl_op_kind_t pl_group_members_read_kind = {
    .name = "group_members",
    .sql = "SELECT ",
    .sql_tail = ".group_members($1, $2)",
    .max_ops = 1,
    .encode = encode_members,
    .decode = decode_members,
};
