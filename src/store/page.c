#include "store/page.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/text.h"

/* Columns of fetch_conversations, fetch_conversation and fetch_messages. */
enum page_column {
    PAGE_READ,
    PAGE_VERSION,
    PAGE_IS_DELTA,
    PAGE_KEY, /* peer_id or message_id; NULL: the page is empty */
    PAGE_COLUMNS,
};

enum conversation_column {
    CONVERSATION_PEER_ID = PAGE_KEY,
    CONVERSATION_LAST_MESSAGE_ID = PAGE_COLUMNS,
    CONVERSATION_TEXT, /* begins with the snippet */
    CONVERSATION_UNREAD_COUNT,
    CONVERSATION_VERSION,
    CONVERSATION_STATE,
};

/* From read_up_to on, where a row is a conversation. */
enum state_column {
    STATE_READ,
    STATE_DELIVERED, /* not used: a user who reads the conversation has received all of its messages
                      */
    STATE_PEER_READ,
    STATE_PEER_DELIVERED,
    STATE_CLEARED,
    STATE_MUTED,
    STATE_FLAGS,
    STATE_VIEW,
};

enum message_column {
    MESSAGE_ID = PAGE_KEY,
    MESSAGE_SENDER_ID = PAGE_COLUMNS,
    MESSAGE_CLIENT_MESSAGE_ID,
    MESSAGE_CONTENT,
    MESSAGE_VERSION,
    MESSAGE_EXTRA,
    MESSAGE_STATUS,
};

/* Of fetch_updates; the first row is the page's head. */
enum update_column {
    UPDATE_KIND,
    UPDATE_PEER_ID,
    UPDATE_MESSAGE_ID,
    UPDATE_SENDER_ID,
    UPDATE_CLIENT_MESSAGE_ID,
    UPDATE_TEXT, /* the content, or the snippet */
    UPDATE_VERSION,
    UPDATE_EXTRA,
    UPDATE_STATUS,
    UPDATE_UNREAD_COUNT,
    UPDATE_STATE,
    UPDATE_MAILBOX_VERSION = UPDATE_STATE + STATE_VIEW + 1,
    UPDATE_IS_DELTA,
    UPDATE_HAS_MORE,
};

/* The most pages that one statement reads, if their weights do not limit it before. Its rows are in
 * memory until the last of these pages is answered, and no page is answered before all are read. */
#define PAGES_MAX 32

/* The result of one statement, shared by the reads that have rows in it, all of the lane's loop. */
struct pl_page_rows {
    PGresult *result;
    size_t refs;
};

static pl_page_read_t *of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_page_read_t, op, op);
}

static void int64_array(pl_params_t *params, pl_op_t *const *ops, size_t count, size_t offset)
{
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int64(
            params, *(const int64_t *)(const void *)((const char *)of(ops[i]) + offset));
    pl_params_array_end(params);
}

#define INT64_ARRAY(member) int64_array(params, ops, count, offsetof(pl_page_read_t, member))

static void int32_array(pl_params_t *params, pl_op_t *const *ops, size_t count, size_t offset)
{
    pl_params_int32_array(params, count);
    for (size_t i = 0; i < count; i++)
        pl_params_element_int32(
            params, *(const int32_t *)(const void *)((const char *)of(ops[i]) + offset));
    pl_params_array_end(params);
}

#define INT32_ARRAY(member) int32_array(params, ops, count, offsetof(pl_page_read_t, member))

static void encode_conversations(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    INT64_ARRAY(user_id);
    INT32_ARRAY(page_size);
    INT64_ARRAY(skip);
    INT64_ARRAY(since);
    INT64_ARRAY(before);
    INT64_ARRAY(peer_id);
}

static void encode_conversation(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    INT64_ARRAY(user_id);
    INT64_ARRAY(peer_id);
}

static void encode_messages(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    INT64_ARRAY(user_id);
    INT64_ARRAY(peer_id);
    INT32_ARRAY(page_size);
    INT64_ARRAY(skip);
    INT64_ARRAY(before);
    INT64_ARRAY(since);
    INT64_ARRAY(after);
    INT32_ARRAY(newer_limit);
    pl_params_int32(params, PL_PAGE_BYTES_MAX);
}

static void encode_updates(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_page_read_t *read = of(ops[0]);
    (void)count;
    pl_params_int64(params, read->user_id);
    pl_params_int32(params, read->page_size);
    pl_params_int64(params, read->since);
    pl_params_int32(params, read->max_bytes);
}

void pl_page_read_dispose(pl_page_read_t *read)
{
    if (read->rows != NULL && --read->rows->refs == 0) {
        PQclear(read->rows->result);
        free(read->rows);
    }
    read->rows = NULL;
    read->length = 0;
    read->newer_length = 0;
    read->found = false;
    read->is_too_large = false;
}

static void take_rows(pl_page_read_t *read, pl_page_rows_t *rows, int first, size_t length)
{
    read->rows = rows;
    read->first_row = first;
    read->length = length;
    rows->refs++;
}

static pl_page_rows_t *rows_create(PGresult *result)
{
    pl_page_rows_t *rows = pl_calloc(1, sizeof(*rows));
    rows->result = result;
    return rows;
}

/* How many of the read's rows are above its `after`: they are the first ones. */
static size_t newer_rows(const pl_page_read_t *read, const PGresult *result, int first,
                         size_t length)
{
    size_t newer = 0;

    if (read->newer_limit == 0 || read->head.is_delta)
        return 0;
    while (newer < length && pl_result_int64(result, first + (int)newer, PAGE_KEY) > read->after)
        newer++;
    return newer;
}

/* How many bytes of the page the message's texts take. */
static size_t message_bytes(const PGresult *result, int row)
{
    return pl_json_string_length(PQgetvalue(result, row, MESSAGE_CONTENT),
                                 (size_t)PQgetlength(result, row, MESSAGE_CONTENT)) +
           (size_t)PQgetlength(result, row, MESSAGE_EXTRA);
}

/* Escaped in JSON, a text is at most so many times as long. */
#define ESCAPED_MAX 6

/* True if the rows' texts fit even if all their characters are escaped. That is quickly found. */
static bool must_fit(const PGresult *result, int first, size_t count, size_t max_bytes)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += (size_t)(PQgetlength(result, first + (int)i, MESSAGE_CONTENT) +
                          PQgetlength(result, first + (int)i, MESSAGE_EXTRA));
    return bytes * ESCAPED_MAX <= max_bytes;
}

/* How many of the rows a page has that ends at `limit` rows and at `max_bytes`, but has one row. */
static size_t fitting(const pl_page_read_t *read, const PGresult *result, int first, size_t count,
                      size_t limit, size_t max_bytes)
{
    size_t bytes = 0, fit = 0;

    if (count > limit)
        count = limit;
    if (read->op.kind != &pl_messages_read_kind || must_fit(result, first, count, max_bytes))
        return count;
    for (; fit < count; fit++) {
        bytes += message_bytes(result, first + (int)fit);
        if (bytes > max_bytes && fit > 0)
            break;
    }
    return fit;
}

/* Of each side of the page. The same is in sql/shard/fetch_messages.sql. */
static size_t side_bytes(const pl_page_read_t *read)
{
    return read->newer_limit > 1 && read->page_size > 0 ? PL_PAGE_BYTES_MAX / 2 : PL_PAGE_BYTES_MAX;
}

/* Takes the page's rows, which begin at `first`: first those that are above `after`. */
static void decode_rows(pl_page_read_t *read, pl_page_rows_t *rows, int first, size_t length)
{
    const PGresult *result = rows->result;
    size_t newer = newer_rows(read, result, first, length);
    size_t older = length - newer;
    size_t newer_max = read->newer_limit > 0 ? (size_t)read->newer_limit - 1 : 0;
    size_t newer_fit = fitting(read, result, first, newer, newer_max, side_bytes(read));
    size_t older_fit = fitting(read, result, first + (int)newer, older, (size_t)read->page_size,
                               side_bytes(read));

    read->newer_row = first;
    read->newer_length = newer_fit;
    read->head.has_more_after = newer > newer_fit;
    read->head.has_more = older > older_fit;
    read->is_too_large = read->head.is_delta && read->head.has_more;
    if (newer_fit + older_fit > 0)
        take_rows(read, rows, first + (int)newer, newer_fit + older_fit);
}

/* Finds the rows of one read; `first` is its first row. Returns the row after them. */
static int decode_page(pl_page_rows_t *rows, pl_op_t *const *ops, int first)
{
    const PGresult *result = rows->result;
    int32_t number = pl_result_int32(result, first, PAGE_READ);
    pl_page_read_t *read = of(ops[number - 1]);
    int end = first + 1;

    while (end < PQntuples(result) && pl_result_int32(result, end, PAGE_READ) == number)
        end++;
    read->found = true;
    read->head.version = pl_result_int64(result, first, PAGE_VERSION);
    read->head.is_delta = pl_result_bool(result, first, PAGE_IS_DELTA);
    decode_rows(read, rows, first,
                PQgetisnull(result, first, PAGE_KEY) ? 0 : (size_t)(end - first));
    return end;
}

static bool decode_pages(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_page_rows_t *rows = rows_create(result);

    for (size_t i = 0; i < count; i++)
        pl_page_read_dispose(of(ops[i])); /* of an attempt whose transaction failed */
    for (int row = 0; row < PQntuples(result);)
        row = decode_page(rows, ops, row);
    if (rows->refs > 0)
        return true;
    free(rows);
    return false;
}

static bool is_same(const pl_page_read_t *a, const pl_page_read_t *b)
{
    return a->op.kind == b->op.kind && a->user_id == b->user_id && a->peer_id == b->peer_id &&
           a->page_size == b->page_size && a->skip == b->skip && a->before == b->before &&
           a->since == b->since && a->after == b->after && a->newer_limit == b->newer_limit &&
           a->max_bytes == b->max_bytes;
}

static bool adopt(pl_op_t *op, const pl_op_t *leader_op)
{
    pl_page_read_t *read = of(op);
    const pl_page_read_t *leader = (const pl_page_read_t *)leader_op;

    if (!is_same(read, leader))
        return false;
    pl_page_read_dispose(read); /* of an attempt whose transaction failed */
    read->found = leader->found;
    read->is_too_large = leader->is_too_large;
    read->head = leader->head;
    read->newer_row = leader->newer_row;
    read->newer_length = leader->newer_length;
    if (leader->rows != NULL)
        take_rows(read, leader->rows, leader->first_row, leader->length);
    return true;
}

void pl_page_read_init(pl_page_read_t *read)
{
    const int64_t query[] = {(int64_t)(intptr_t)read->op.kind,
                             read->user_id,
                             read->peer_id,
                             read->page_size,
                             read->skip,
                             read->before,
                             read->since,
                             read->after,
                             read->newer_limit,
                             read->max_bytes};
    read->op.key = pl_hash64(query, sizeof(query));
    read->op.weight = (size_t)(read->skip + read->page_size + read->newer_limit);
}

static bool decode_updates(PGresult *result, pl_op_t *const *ops, size_t count)
{
    pl_page_read_t *read = of(ops[0]);
    int rows = PQntuples(result);
    (void)count;

    pl_page_read_dispose(read); /* of an attempt whose transaction failed */
    if (rows == 0)
        return false;
    read->found = true;
    read->head.version = pl_result_int64(result, 0, UPDATE_VERSION);
    read->head.is_delta = pl_result_bool(result, 0, UPDATE_IS_DELTA);
    read->head.has_more = pl_result_bool(result, 0, UPDATE_HAS_MORE);
    if (rows == 1)
        return false;
    take_rows(read, rows_create(result), 1, (size_t)rows - 1);
    return true;
}

const pl_op_kind_t pl_conversations_read_kind = {
    .name = "fetch_conversations",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_conversations($1, $2, $3, $4, $5, $6)",
    .max_ops = PAGES_MAX,
    .encode = encode_conversations,
    .decode = decode_pages,
    .adopt = adopt,
};

const pl_op_kind_t pl_conversation_read_kind = {
    .name = "fetch_conversation",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_conversation($1, $2)",
    .max_ops = PAGES_MAX,
    .encode = encode_conversation,
    .decode = decode_pages,
    .adopt = adopt,
};

const pl_op_kind_t pl_messages_read_kind = {
    .name = "fetch_messages",
    /* All columns: naming them would be a tenth of the cost of a single read. */
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_messages($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    .max_ops = PAGES_MAX,
    .encode = encode_messages,
    .decode = decode_pages,
    .adopt = adopt,
};

const pl_op_kind_t pl_updates_read_kind = {
    .name = "fetch_updates",
    .sql = "SELECT * FROM ",
    .sql_tail = ".fetch_updates($1, $2, $3, $4)",
    .max_ops = 1,
    .encode = encode_updates,
    .decode = decode_updates,
    .adopt = adopt,
};

bool pl_page_head(const pl_page_read_t *read, pl_page_t *page_r)
{
    if (!read->found)
        return false;
    *page_r = read->head;
    pl_clock_advance_past(page_r->version);
    return true;
}

size_t pl_page_length(const pl_page_read_t *read)
{
    return read->length;
}

static const char *text_at(const PGresult *result, int row, int column, size_t *len_r)
{
    *len_r = (size_t)PQgetlength(result, row, column);
    return PQgetvalue(result, row, column);
}

static char char_at(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? 0 : *PQgetvalue(result, row, column);
}

static void read_state(const PGresult *result, int row, int unread, int first,
                       pl_conversation_state_t *state_r)
{
    int32_t flags = pl_result_int32(result, row, first + STATE_FLAGS);

    *state_r = (pl_conversation_state_t){
        .unread_count = pl_result_int32(result, row, unread),
        .read_up_to = pl_result_int64(result, row, first + STATE_READ),
        .peer_read_up_to = pl_result_int64(result, row, first + STATE_PEER_READ),
        .peer_delivered_up_to = pl_result_int64(result, row, first + STATE_PEER_DELIVERED),
        .cleared_up_to = pl_result_int64(result, row, first + STATE_CLEARED),
        .muted_until = pl_result_int64(result, row, first + STATE_MUTED),
        .archived = (flags & PL_CONVERSATION_ARCHIVED) != 0,
        .pinned = (flags & PL_CONVERSATION_PINNED) != 0,
        .marked_unread = (flags & PL_CONVERSATION_MARKED_UNREAD) != 0,
    };
}

static int message_row(const pl_page_read_t *read, size_t index)
{
    if (index < read->newer_length)
        return read->newer_row + (int)(read->newer_length - 1 - index);
    return read->first_row + (int)(index - read->newer_length);
}

void pl_page_message(const pl_page_read_t *read, size_t index, pl_message_t *message_r)
{
    const PGresult *result = read->rows->result;
    int row = message_row(read, index);

    message_r->user_id = read->user_id;
    message_r->peer_id = read->peer_id;
    message_r->message_id = pl_result_int64(result, row, MESSAGE_ID);
    message_r->sender_id = pl_result_int64(result, row, MESSAGE_SENDER_ID);
    message_r->version = pl_result_int64(result, row, MESSAGE_VERSION);
    message_r->client_message_id = text_at(result, row, MESSAGE_CLIENT_MESSAGE_ID,
                                           &message_r->client_message_id_len);
    message_r->content = text_at(result, row, MESSAGE_CONTENT, &message_r->content_len);
    message_r->extra = text_at(result, row, MESSAGE_EXTRA, &message_r->extra_len);
    message_r->status = char_at(result, row, MESSAGE_STATUS);
    pl_clock_advance_past(pl_message_id_timestamp(message_r->message_id));
}

void pl_page_conversation(const pl_page_read_t *read, size_t index,
                          pl_conversation_t *conversation_r)
{
    const PGresult *result = read->rows->result;
    int row = read->first_row + (int)index;

    conversation_r->user_id = read->user_id;
    conversation_r->peer_id = pl_result_int64(result, row, CONVERSATION_PEER_ID);
    conversation_r->last_message_id = pl_result_int64(result, row, CONVERSATION_LAST_MESSAGE_ID);
    conversation_r->version = pl_result_int64(result, row, CONVERSATION_VERSION);
    read_state(result, row, CONVERSATION_UNREAD_COUNT, CONVERSATION_STATE, &conversation_r->state);
    conversation_r->view = text_at(result, row, CONVERSATION_STATE + STATE_VIEW,
                                   &conversation_r->view_len);
    size_t length;
    conversation_r->snippet = text_at(result, row, CONVERSATION_TEXT, &length);
    conversation_r->snippet_len = pl_utf8_prefix(conversation_r->snippet, length,
                                                 PL_SNIPPET_CODE_POINTS);
    pl_clock_advance_past(pl_message_id_timestamp(conversation_r->last_message_id));
}

char pl_page_update(const pl_page_read_t *read, size_t index, pl_message_t *message_r,
                    pl_conversation_t *conversation_r)
{
    const PGresult *result = read->rows->result;
    int row = read->first_row + (int)index;
    int64_t message_id = pl_result_int64(result, row, UPDATE_MESSAGE_ID);
    int64_t peer_id = pl_result_int64(result, row, UPDATE_PEER_ID);
    int64_t version = pl_result_int64(result, row, UPDATE_VERSION);
    char kind = *PQgetvalue(result, row, UPDATE_KIND);

    pl_clock_advance_past(pl_message_id_timestamp(message_id));
    if (kind == 'm') {
        *message_r = (pl_message_t){.user_id = read->user_id,
                                    .peer_id = peer_id,
                                    .message_id = message_id,
                                    .version = version,
                                    .sender_id = pl_result_int64(result, row, UPDATE_SENDER_ID)};
        message_r->client_message_id = text_at(result, row, UPDATE_CLIENT_MESSAGE_ID,
                                               &message_r->client_message_id_len);
        message_r->content = text_at(result, row, UPDATE_TEXT, &message_r->content_len);
        message_r->extra = text_at(result, row, UPDATE_EXTRA, &message_r->extra_len);
        message_r->status = char_at(result, row, UPDATE_STATUS);
    } else if (kind == 'c') {
        *conversation_r = (pl_conversation_t){.user_id = read->user_id,
                                              .peer_id = peer_id,
                                              .last_message_id = message_id,
                                              .version = version};
        read_state(result, row, UPDATE_UNREAD_COUNT, UPDATE_STATE, &conversation_r->state);
        conversation_r->snippet = text_at(result, row, UPDATE_TEXT, &conversation_r->snippet_len);
        conversation_r->view = text_at(result, row, UPDATE_STATE + STATE_VIEW,
                                       &conversation_r->view_len);
    }
    return kind;
}

const char *pl_page_invitations(const pl_page_read_t *read, size_t *len_r, int64_t *version_r)
{
    size_t length = pl_page_length(read);

    if (length == 0)
        return NULL;
    const PGresult *result = read->rows->result;
    int row = read->first_row + (int)length - 1;
    if (*PQgetvalue(result, row, UPDATE_KIND) != 'i')
        return NULL;
    *version_r = pl_result_int64(result, row, UPDATE_VERSION);
    return text_at(result, row, UPDATE_TEXT, len_r);
}
