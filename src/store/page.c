#include "store/page.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"

/* Columns of the shard's functions; the first row of each result is the page's head. */
enum conversation_column {
    CONVERSATION_PEER_ID,
    CONVERSATION_LAST_MESSAGE_ID,
    CONVERSATION_SNIPPET,
    CONVERSATION_UNREAD_COUNT,
    CONVERSATION_VERSION,
    CONVERSATION_IS_DELTA,
    CONVERSATION_HAS_MORE,
};

enum message_column {
    MESSAGE_ID,
    MESSAGE_SENDER_ID,
    MESSAGE_CLIENT_MESSAGE_ID,
    MESSAGE_CONTENT,
    MESSAGE_VERSION,
    MESSAGE_IS_DELTA,
    MESSAGE_HAS_MORE,
};

enum update_column {
    UPDATE_KIND,
    UPDATE_PEER_ID,
    UPDATE_MESSAGE_ID,
    UPDATE_SENDER_ID,
    UPDATE_CLIENT_MESSAGE_ID,
    UPDATE_TEXT, /* the content, or the snippet */
    UPDATE_UNREAD_COUNT,
    UPDATE_VERSION,
    UPDATE_IS_DELTA,
    UPDATE_HAS_MORE,
};

static pl_page_read_t *of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_page_read_t, op, op);
}

static void encode_conversations(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_page_read_t *read = of(ops[0]);
    (void)count;
    pl_params_int64(params, read->user_id);
    pl_params_int32(params, read->page_size);
    pl_params_int64(params, read->skip);
    pl_params_int64(params, read->since);
}

static void encode_messages(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_page_read_t *read = of(ops[0]);
    (void)count;
    pl_params_int64(params, read->user_id);
    pl_params_int64(params, read->peer_id);
    pl_params_int32(params, read->page_size);
    pl_params_int64(params, read->skip);
    pl_params_int64(params, read->before);
    pl_params_int64(params, read->since);
}

static void encode_updates(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_page_read_t *read = of(ops[0]);
    (void)count;
    pl_params_int64(params, read->user_id);
    pl_params_int32(params, read->page_size);
    pl_params_int64(params, read->since);
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_page_read_t *read = of(ops[0]);
    (void)count;
    PQclear(read->result); /* of an attempt that failed after all */
    read->result = result;
    return true;
}

const pl_op_kind_t pl_conversations_read_kind = {
    .name = "fetch_conversations",
    .sql =
        "SELECT peer_id, last_message_id, snippet, unread_count, version, is_delta, has_more FROM ",
    .sql_tail = ".fetch_conversations($1, $2, $3, $4)",
    .max_ops = 1,
    .encode = encode_conversations,
    .decode = decode,
};

const pl_op_kind_t pl_messages_read_kind = {
    .name = "fetch_messages",
    .sql = "SELECT message_id, sender_id, client_message_id, content, version, is_delta, has_more "
           "FROM ",
    .sql_tail = ".fetch_messages($1, $2, $3, $4, $5, $6)",
    .max_ops = 1,
    .encode = encode_messages,
    .decode = decode,
};

const pl_op_kind_t pl_updates_read_kind = {
    .name = "fetch_updates",
    .sql = "SELECT kind, peer_id, message_id, sender_id, client_message_id, content, unread_count, "
           "version, is_delta, "
           "has_more FROM ",
    .sql_tail = ".fetch_updates($1, $2, $3)",
    .max_ops = 1,
    .encode = encode_updates,
    .decode = decode,
};

void pl_page_read_dispose(pl_page_read_t *read)
{
    PQclear(read->result);
    read->result = NULL;
}

/* Every function ends in the columns version, is_delta, has_more. */
bool pl_page_head(const pl_page_read_t *read, pl_page_t *page_r)
{
    int columns = PQnfields(read->result);

    if (PQntuples(read->result) == 0)
        return false;
    page_r->version = pl_result_int64(read->result, 0, columns - 3);
    page_r->is_delta = pl_result_bool(read->result, 0, columns - 2);
    page_r->has_more = pl_result_bool(read->result, 0, columns - 1);
    pl_clock_observe(page_r->version);
    return true;
}

size_t pl_page_length(const pl_page_read_t *read)
{
    int rows = PQntuples(read->result);
    return rows > 0 ? (size_t)rows - 1 : 0;
}

static const char *text_at(const PGresult *result, int row, int column, size_t *len_r)
{
    *len_r = (size_t)PQgetlength(result, row, column);
    return PQgetvalue(result, row, column);
}

void pl_page_message(const pl_page_read_t *read, size_t index, pl_message_t *message_r)
{
    const PGresult *result = read->result;
    int row = (int)index + 1;

    message_r->user_id = read->user_id;
    message_r->peer_id = read->peer_id;
    message_r->message_id = pl_result_int64(result, row, MESSAGE_ID);
    message_r->sender_id = pl_result_int64(result, row, MESSAGE_SENDER_ID);
    message_r->version = pl_result_int64(result, row, MESSAGE_VERSION);
    message_r->client_message_id = text_at(result, row, MESSAGE_CLIENT_MESSAGE_ID,
                                           &message_r->client_message_id_len);
    message_r->content = text_at(result, row, MESSAGE_CONTENT, &message_r->content_len);
    pl_clock_observe(pl_message_id_timestamp(message_r->message_id));
}

void pl_page_conversation(const pl_page_read_t *read, size_t index,
                          pl_conversation_t *conversation_r)
{
    const PGresult *result = read->result;
    int row = (int)index + 1;

    conversation_r->user_id = read->user_id;
    conversation_r->peer_id = pl_result_int64(result, row, CONVERSATION_PEER_ID);
    conversation_r->last_message_id = pl_result_int64(result, row, CONVERSATION_LAST_MESSAGE_ID);
    conversation_r->version = pl_result_int64(result, row, CONVERSATION_VERSION);
    conversation_r->unread_count = pl_result_int32(result, row, CONVERSATION_UNREAD_COUNT);
    conversation_r->snippet = text_at(result, row, CONVERSATION_SNIPPET,
                                      &conversation_r->snippet_len);
    pl_clock_observe(pl_message_id_timestamp(conversation_r->last_message_id));
}

char pl_page_update(const pl_page_read_t *read, size_t index, pl_message_t *message_r,
                    pl_conversation_t *conversation_r)
{
    const PGresult *result = read->result;
    int row = (int)index + 1;
    int64_t message_id = pl_result_int64(result, row, UPDATE_MESSAGE_ID);
    int64_t peer_id = pl_result_int64(result, row, UPDATE_PEER_ID);
    int64_t version = pl_result_int64(result, row, UPDATE_VERSION);
    char kind = *PQgetvalue(result, row, UPDATE_KIND);

    pl_clock_observe(pl_message_id_timestamp(message_id));
    if (kind == 'm') {
        *message_r = (pl_message_t){.user_id = read->user_id,
                                    .peer_id = peer_id,
                                    .message_id = message_id,
                                    .version = version,
                                    .sender_id = pl_result_int64(result, row, UPDATE_SENDER_ID)};
        message_r->client_message_id = text_at(result, row, UPDATE_CLIENT_MESSAGE_ID,
                                               &message_r->client_message_id_len);
        message_r->content = text_at(result, row, UPDATE_TEXT, &message_r->content_len);
    } else {
        *conversation_r = (pl_conversation_t){
            .user_id = read->user_id,
            .peer_id = peer_id,
            .last_message_id = message_id,
            .version = version,
            .unread_count = pl_result_int32(result, row, UPDATE_UNREAD_COUNT)};
        conversation_r->snippet = text_at(result, row, UPDATE_TEXT, &conversation_r->snippet_len);
    }
    return kind;
}
