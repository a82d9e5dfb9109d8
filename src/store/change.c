#include "store/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "store/change_kinds.h"

/* Columns of write_changes. */
enum column {
    COLUMN_NUMBER,
    COLUMN_PART,
    COLUMN_MAILBOX_ID,
    COLUMN_PREVIOUS,
    COLUMN_VERSION,
    COLUMN_ORDINAL,
    COLUMN_TARGET_ID,
    COLUMN_KIND, /* in an answer the status */
    COLUMN_DETAIL,
    COLUMN_MEMBERS,
};

/* Bytes of an argument that weigh as much as one row. An argument for members weighs one row per
 * member besides. */
#define BYTES_PER_ROW 32
#define BYTES_PER_ROW_OF_MEMBERS 1024

static pl_change_t *at(pl_op_t *const *ops, size_t i)
{
    return H2O_STRUCT_FROM_MEMBER(pl_change_t, op, ops[i]);
}

void pl_change_init(pl_change_t *change)
{
    size_t bytes_per_row = change->members_count > 0 ? BYTES_PER_ROW_OF_MEMBERS : BYTES_PER_ROW;

    change->op.kind = &pl_change_kind;
    change->op.shard = (int)pl_id_shard(change->mailbox_id);
    change->op.weight = 1 + change->members_count + change->argument_len / bytes_per_row +
                        pl_change_traits_of(change->kind)->rows;
}

void pl_change_dispose(pl_change_t *change)
{
    for (size_t i = 0; i < change->follow_ups_count; i++) {
        free(change->follow_ups[i].kind);
        free(change->follow_ups[i].argument);
    }
    free(change->follow_ups);
    free(change->detail);
    free(change->wakes);
    change->follow_ups = NULL;
    change->follow_ups_count = 0;
    change->detail = NULL;
    change->wakes = NULL;
    change->wakes_count = 0;
}

bool pl_change_is(const pl_change_t *change, const char *status)
{
    return strcmp(change->status, status) == 0;
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    pl_params_text_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_text(params, at(ops, i)->kind, strlen(at(ops, i)->kind));
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->mailbox_id);
    pl_params_array_end(params);
    pl_params_text_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_text(params, at(ops, i)->argument, at(ops, i)->argument_len);
    pl_params_array_end(params);
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(params, at(ops, i)->companion_id);
    pl_params_array_end(params);
}

static void decode_answer(pl_change_t *change, const PGresult *result, int row)
{
    snprintf(change->status, sizeof(change->status), "%s", PQgetvalue(result, row, COLUMN_KIND));
    change->detail = pl_strdup(PQgetvalue(result, row, COLUMN_DETAIL));
    change->detail_len = (size_t)PQgetlength(result, row, COLUMN_DETAIL);
}

static void decode_follow_up(pl_change_t *change, const PGresult *result, int row)
{
    change->follow_ups = pl_realloc(change->follow_ups,
                                    (change->follow_ups_count + 1) * sizeof(*change->follow_ups));
    change->follow_ups[change->follow_ups_count++] = (pl_follow_up_t){
        .mailbox_id = pl_result_int64(result, row, COLUMN_MAILBOX_ID),
        .version = pl_result_int64(result, row, COLUMN_VERSION),
        .ordinal = pl_result_int64(result, row, COLUMN_ORDINAL),
        .target_id = pl_result_int64(result, row, COLUMN_TARGET_ID),
        .kind = pl_strdup(PQgetvalue(result, row, COLUMN_KIND)),
        .argument = pl_strdup(PQgetvalue(result, row, COLUMN_DETAIL)),
        .members_count = (size_t)pl_result_int32(result, row, COLUMN_MEMBERS),
    };
}

static void decode_wake(pl_change_t *first, const PGresult *result, int row)
{
    first->wakes = pl_realloc(first->wakes, (first->wakes_count + 1) * sizeof(*first->wakes));
    first->wakes[first->wakes_count++] = (pl_mailbox_wake_t){
        .user_id = pl_result_int64(result, row, COLUMN_MAILBOX_ID),
        .previous = pl_result_int64(result, row, COLUMN_PREVIOUS),
        .version = pl_result_int64(result, row, COLUMN_VERSION),
    };
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pl_change_dispose(at(ops, i));
    for (int row = 0; row < PQntuples(result); row++) {
        int32_t number = pl_result_int32(result, row, COLUMN_NUMBER);
        switch (*PQgetvalue(result, row, COLUMN_PART)) {
        case 'r':
            decode_answer(at(ops, (size_t)number - 1), result, row);
            break;
        case 'o':
            decode_follow_up(at(ops, (size_t)number - 1), result, row);
            break;
        default:
            decode_wake(at(ops, 0), result, row);
        }
    }
    return false;
}

static void on_committed(void *context, pl_op_t *const *ops, size_t count)
{
    pl_commit_listener_t *listener = context;
    const pl_change_t *first = at(ops, 0);
    (void)count;

    for (size_t i = 0; i < first->wakes_count; i++)
        pl_clock_advance_past(first->wakes[i].version);
    if (listener != NULL && first->wakes_count > 0)
        listener->on_change(listener, first->wakes, first->wakes_count);
}

const pl_op_kind_t pl_change_kind = {
    .name = "write_changes",
    .sql = "SELECT * FROM parley.write_changes($1, $2, $3, $4)",
    .max_ops = SIZE_MAX,
    .is_one_statement_per_batch = true,
    .encode = encode,
    .decode = decode,
    .on_committed = on_committed,
};
