#include "store/mailbox.h"

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

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_result_array_t states = pl_result_array(result, 0, 0);
    size_t epochs = count;

    for (size_t i = 0; i < count; i++) {
        pl_version_read_t *read = at(ops, i);
        int64_t state = pl_result_array_int64(&states, i);
        read->found = state != 0;
        read->version = state < 0 ? -state : state;
        read->auth_epoch = state < 0 ? pl_result_array_int64(&states, epochs++) : 0;
    }
    return false;
}

#define VERSIONS                                                                   \
    .name = "mailbox_states", .sql = "SELECT ", .sql_tail = ".mailbox_states($1)", \
    .max_ops = SIZE_MAX, .encode = encode, .decode = decode

const pl_op_kind_t pl_version_read_kind = {VERSIONS};

const pl_op_kind_t pl_version_check_kind = {VERSIONS,
                                            .sql_shards = "SELECT parley.mailbox_states($1)"};
