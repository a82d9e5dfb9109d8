#include "store/invitation.h"

#include <stdlib.h>

#include "base/memory.h"

/* ---- a user's invitations ---- */

static pl_invitations_read_t *invitations_of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_invitations_read_t, op, op);
}

static void encode_invitations(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_params_int64(params, invitations_of(ops[0])->user_id);
}

static bool decode_invitations(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_invitations_read_t *read = invitations_of(ops[0]);
    (void)count;

    free(read->json); /* of an attempt whose transaction failed */
    read->json = PQgetisnull(result, 0, 0) ? NULL : pl_strdup(PQgetvalue(result, 0, 0));
    read->json_len = (size_t)PQgetlength(result, 0, 0);
    return false;
}

const pl_op_kind_t pl_invitations_read_kind = {
    .name = "fetch_invitations",
    .sql = "SELECT ",
    .sql_tail = ".fetch_invitations($1)",
    .max_ops = 1,
    .encode = encode_invitations,
    .decode = decode_invitations,
};

/* ---- consents ---- */

static pl_consent_read_t *consent_at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_consent_read_t, op, ops[i]);
}

static void encode_consents(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, consent_at(ops, i)->adder_id);
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, consent_at(ops, i)->user_id);
    pl_params_array_end(params);
}

static bool decode_consents(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_result_array_t consents = pl_result_array(result, 0, 0);

    for (size_t i = 0; i < count; i++)
        consent_at(ops, i)->consent = (enum pl_consent)pl_result_array_int64(&consents, i);
    return false;
}

const pl_op_kind_t pl_consent_read_kind = {
    .name = "group_consents",
    .sql = "SELECT ",
    .sql_tail = ".group_consents($1, $2)",
    .sql_shards = "SELECT parley.group_consents($1, $2)",
    .max_ops = SIZE_MAX,
    .encode = encode_consents,
    .decode = decode_consents,
};

/* ---- messages from other users ---- */

static pl_written_read_t *written_at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_written_read_t, op, ops[i]);
}

static void encode_written(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, written_at(ops, i)->user_id);
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, written_at(ops, i)->other_id);
    pl_params_array_end(params);
}

static bool decode_written(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_result_array_t written = pl_result_array(result, 0, 0);

    for (size_t i = 0; i < count; i++)
        written_at(ops, i)->has_written = pl_result_array_bool(&written, i);
    return false;
}

const pl_op_kind_t pl_written_read_kind = {
    .name = "have_written",
    .sql = "SELECT ",
    .sql_tail = ".have_written($1, $2)",
    .max_ops = SIZE_MAX,
    .encode = encode_written,
    .decode = decode_written,
};
