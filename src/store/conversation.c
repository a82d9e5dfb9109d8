#include "store/conversation.h"

char pl_conversation_status_of(const pl_conversation_state_t *state, int64_t message_id)
{
    if (message_id <= state->peer_read_up_to)
        return 'r';
    return message_id <= state->peer_delivered_up_to ? 'd' : 's';
}

static pl_conversations_check_t *of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_conversations_check_t, op, op);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_conversations_check_t *check = of(ops[0]);
    (void)count;
    pl_params_int64(params, check->user_id);
    pl_params_int64_array(params, check->count);
    for (size_t i = 0; i < check->count; i++)
        pl_params_element_int64(params, check->peers[i]);
    pl_params_array_end(params);
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_conversations_check_t *check = of(ops[0]);
    pl_result_array_t has = pl_result_array(result, 0, 0);
    (void)count;
    check->found = !PQgetisnull(result, 0, 0);
    for (size_t i = 0; i < check->count; i++)
        check->has[i] = check->found && pl_result_array_bool(&has, i);
    return false;
}

const pl_op_kind_t pl_conversations_check_kind = {
    .name = "has_conversations",
    .sql = "SELECT ",
    .sql_tail = ".has_conversations($1, $2)",
    .max_ops = 1,
    .encode = encode,
    .decode = decode,
};
