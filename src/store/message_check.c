#include "store/message_check.h"

static pl_message_check_t *at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_message_check_t, op, ops[i]);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->mailbox_id);
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->peer_id);
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->message_id);
    pl_params_array_end(params);
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_result_array_t found = pl_result_array(result, 0, 0);

    for (size_t i = 0; i < count; i++)
        at(ops, i)->found = pl_result_array_bool(&found, i);
    return false;
}

const pl_op_kind_t pl_message_check_kind = {
    .name = "has_messages",
    .sql = "SELECT ",
    .sql_tail = ".has_messages($1, $2, $3)",
    .max_ops = SIZE_MAX,
    .encode = encode,
    .decode = decode,
};
