#include "store/export.h"

#include "base/json_write.h"
#include "store/resource_json.h"

enum block_column { COLUMN_BLOCKED_ID, COLUMN_BLOCKED_TIMESTAMP };

static pl_blocks_export_t *of(pl_op_t *op)
{
    return H2O_STRUCT_FROM_MEMBER(pl_blocks_export_t, op, op);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    const pl_blocks_export_t *blocks = of(ops[0]);
    (void)count;
    pl_params_int64(params, blocks->user_id);
    pl_params_int64(params, blocks->after);
    pl_params_int32(params, blocks->page_size);
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    (void)count;
    pl_blocks_export_dispose(of(ops[0])); /* of an attempt whose transaction failed */
    of(ops[0])->result = result;
    return true;
}

const pl_op_kind_t pl_blocks_export_kind = {
    .name = "export_blocks",
    .sql = "SELECT blocked_id, blocked_timestamp FROM ",
    .sql_tail = ".export_blocks($1, $2, $3)",
    .max_ops = 1,
    .encode = encode,
    .decode = decode,
};

void pl_blocks_export_dispose(pl_blocks_export_t *blocks)
{
    PQclear(blocks->result);
    blocks->result = NULL;
}

/* ---- lines ---- */

static void begin_line(pl_buffer_t *out, const char *type)
{
    pl_json_object_begin(out);
    pl_json_key(out, "type");
    pl_json_text(out, type);
    pl_json_key(out, type);
}

static void end_line(pl_buffer_t *out)
{
    pl_json_object_end(out);
    pl_buffer_append_char(out, '\n');
}

void pl_export_account(pl_buffer_t *out, const pl_account_t *account)
{
    begin_line(out, "account");
    pl_json_object_begin(out);
    pl_user_members_to_json(out, account);
    pl_json_key(out, "hasPassword");
    pl_json_bool(out, account->password_hash != NULL);
    pl_json_object_end(out);
    end_line(out);

    begin_line(out, "settings");
    pl_json_object_begin(out);
    pl_settings_members_to_json(out, account);
    pl_json_object_end(out);
    end_line(out);
}

void pl_export_sessions(pl_buffer_t *out, const pl_sessions_read_t *sessions,
                        pl_export_counts_t *counts)
{
    pl_session_t session;

    for (size_t i = 0; i < pl_sessions_read_length(sessions); i++) {
        pl_sessions_read_get(sessions, i, &session);
        begin_line(out, "session");
        pl_json_object_begin(out);
        pl_session_members_to_json(out, &session);
        pl_json_object_end(out);
        end_line(out);
        counts->sessions++;
    }
}

size_t pl_export_blocks(pl_buffer_t *out, const pl_blocks_export_t *blocks, int64_t *last_r,
                        pl_export_counts_t *counts)
{
    int rows = PQntuples(blocks->result);

    for (int row = 0; row < rows; row++) {
        *last_r = pl_result_int64(blocks->result, row, COLUMN_BLOCKED_ID);
        begin_line(out, "block");
        pl_json_object_begin(out);
        pl_json_key(out, "userId");
        pl_json_id(out, *last_r);
        pl_json_key(out, "blockedTimestamp");
        pl_json_int64(out, pl_result_int64(blocks->result, row, COLUMN_BLOCKED_TIMESTAMP));
        pl_json_object_end(out);
        end_line(out);
    }
    counts->blocks += rows;
    return (size_t)rows;
}

static void messages(pl_buffer_t *out, const pl_page_read_t *read, pl_page_t *page,
                     size_t max_bytes, pl_export_counts_t *counts)
{
    size_t start = out->len;
    int64_t last_version = 0;
    pl_message_t message;
    pl_conversation_t conversation;

    for (size_t i = 0; i < pl_page_length(read); i++) {
        if (pl_page_update(read, i, &message, &conversation) != 'm')
            continue;
        if (last_version != 0 && out->len - start + message.content_len > max_bytes) {
            page->version = last_version;
            page->has_more = true;
            return;
        }
        begin_line(out, "message");
        pl_message_to_json(out, &message);
        end_line(out);
        counts->messages++;
        last_version = message.version;
    }
}

static void conversations(pl_buffer_t *out, const pl_page_read_t *read, const pl_page_t *page,
                          pl_export_counts_t *counts)
{
    pl_message_t message;
    pl_conversation_t conversation;

    for (size_t i = 0; i < pl_page_length(read); i++) {
        if (pl_page_update(read, i, &message, &conversation) != 'c' ||
            conversation.version > page->version)
            continue;
        begin_line(out, "conversation");
        pl_conversation_to_json(out, &conversation);
        end_line(out);
        counts->conversations++;
    }
}

/* All of them, in one line. */
static void invitations(pl_buffer_t *out, const pl_page_read_t *read, const pl_page_t *page)
{
    size_t len;
    int64_t version;
    const char *open = pl_page_invitations(read, &len, &version);

    if (open == NULL || version > page->version)
        return;
    begin_line(out, "invitations");
    pl_buffer_append(out, open, len);
    end_line(out);
}

void pl_export_updates(pl_buffer_t *out, const pl_page_read_t *read, pl_page_t *page,
                       size_t max_bytes, pl_export_counts_t *counts)
{
    messages(out, read, page, max_bytes, counts);
    conversations(out, read, page, counts);
    invitations(out, read, page);
}

void pl_export_end(pl_buffer_t *out, const pl_export_counts_t *counts, int64_t version)
{
    begin_line(out, "end");
    pl_json_object_begin(out);
    pl_json_key(out, "sessions");
    pl_json_int64(out, counts->sessions);
    pl_json_key(out, "blocks");
    pl_json_int64(out, counts->blocks);
    pl_json_key(out, "conversations");
    pl_json_int64(out, counts->conversations);
    pl_json_key(out, "messages");
    pl_json_int64(out, counts->messages);
    pl_json_key(out, "lastUpdatedTimestamp");
    pl_json_int64(out, version);
    pl_json_object_end(out);
    end_line(out);
}
