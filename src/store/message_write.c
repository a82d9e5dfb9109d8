#include "store/message_write.h"

#include <assert.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/id.h"

_Static_assert(offsetof(pl_message_write_t, op) == 0, "pl_message_write_of casts");

enum column {
    COLUMN_OP,
    COLUMN_STATUS,
    COLUMN_MESSAGE_ID,
    COLUMN_VERSION,
    COLUMN_MAILBOX_PREVIOUS,
    COLUMN_MAILBOX_VERSION,
    COLUMN_UNREAD_COUNT,
    COLUMN_COPY_VERSION,
    COLUMN_COPY_MAILBOX_PREVIOUS,
    COLUMN_COPY_MAILBOX_VERSION,
    COLUMN_COPY_UNREAD_COUNT,
};

static const pl_message_write_t *at(pl_op_t *const *ops, size_t i)
{
    return pl_message_write_of(ops[i]);
}

#define INT64_ARRAY(params, ops, count, member)                      \
    do {                                                             \
        pl_params_int64_array((params), (count));                    \
        for (size_t i = 0; i < (count); i++)                         \
            pl_params_element_int64((params), at((ops), i)->member); \
        pl_params_array_end(params);                                 \
    } while (0)

#define TEXT_ARRAY(params, ops, count, member)                                                  \
    do {                                                                                        \
        pl_params_text_array((params), (count));                                                \
        for (size_t i = 0; i < (count); i++)                                                    \
            pl_params_element_text((params), at((ops), i)->member, at((ops), i)->member##_len); \
        pl_params_array_end(params);                                                            \
    } while (0)

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    INT64_ARRAY(params, ops, count, mailbox_id);
    INT64_ARRAY(params, ops, count, peer_id);
    INT64_ARRAY(params, ops, count, sender_id);
    INT64_ARRAY(params, ops, count, message_id);
    TEXT_ARRAY(params, ops, count, client_message_id);
    TEXT_ARRAY(params, ops, count, content);
    INT64_ARRAY(params, ops, count, received_us);
    pl_params_int16_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int16(params, (int16_t)at(ops, i)->copy_mode);
    pl_params_array_end(params);
}

static void decode_change(pl_mailbox_change_t *change, const PGresult *result, int row,
                          int first_column)
{
    change->version = pl_result_int64(result, row, first_column);
    change->mailbox_previous = pl_result_int64(result, row, first_column + 1);
    change->mailbox_version = pl_result_int64(result, row, first_column + 2);
    change->unread_count = pl_result_int32(result, row, first_column + 3);
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    assert((size_t)PQntuples(result) == count);
    for (int row = 0; row < (int)count; row++) {
        pl_message_write_t *write = (pl_message_write_t *)ops[row];
        write->status = (enum pl_write_status)pl_result_int16(result, row, COLUMN_STATUS);
        write->stored_id = pl_result_int64(result, row, COLUMN_MESSAGE_ID);
        decode_change(&write->change, result, row, COLUMN_VERSION);
        decode_change(&write->copy_change, result, row, COLUMN_COPY_VERSION);
    }
    return false;
}

static void on_committed(void *context, pl_op_t *const *ops, size_t count)
{
    pl_commit_listener_t *listener = context;

    for (size_t i = 0; i < count; i++)
        pl_clock_observe(pl_message_id_timestamp(at(ops, i)->stored_id));
    if (listener != NULL)
        listener->on_commit(listener, ops, count);
}

const pl_op_kind_t pl_message_write_kind = {
    .name = "write_messages",
    .sql = "SELECT * FROM parley.write_messages($1, $2, $3, $4, $5, $6, $7, $8)",
    .max_ops = SIZE_MAX,
    .encode = encode,
    .decode = decode,
    .on_committed = on_committed,
};
