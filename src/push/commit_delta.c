#include "push/commit_delta.h"

#include <stdlib.h>

#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/resource_json.h"

/* An estimate for the JSON of one message and its conversation, without the message's content and
 * the snippet. */
#define MESSAGE_BYTES 1024

/* One row that the batch may have written into one mailbox. */
typedef struct row {
    int64_t user_id;
    int64_t peer_id;
    const pl_message_write_t *write;
    const pl_mailbox_change_t *change;
    bool is_new;
} row_t;

/* Sorts by mailbox; in a mailbox the retries come first, then the new rows by version. */
static int compare_rows(const void *a, const void *b)
{
    const row_t *left = a, *right = b;
    if (left->user_id != right->user_id)
        return left->user_id < right->user_id ? -1 : 1;
    if (left->is_new != right->is_new)
        return left->is_new ? 1 : -1;
    return (left->change->version > right->change->version) -
           (left->change->version < right->change->version);
}

static size_t collect(row_t *rows, pl_op_t *const *writes, size_t count,
                      bool (*is_wanted)(void *arg, int64_t user_id), void *arg)
{
    size_t rows_count = 0;

    for (size_t i = 0; i < count; i++) {
        const pl_message_write_t *write = pl_message_write_of(writes[i]);
        bool is_new = write->status == PL_WRITE_STORED;
        if (is_wanted(arg, write->mailbox_id))
            rows[rows_count++] = (row_t){write->mailbox_id, write->peer_id, write, &write->change,
                                         is_new};
        if (write->copy_mode == PL_COPY_HERE && is_new && is_wanted(arg, write->sender_id))
            rows[rows_count++] = (row_t){write->sender_id, write->mailbox_id, write,
                                         &write->copy_change, is_new};
    }
    qsort(rows, rows_count, sizeof(*rows), compare_rows);
    return rows_count;
}

static void message_to_json(pl_buffer_t *out, const row_t *row)
{
    const pl_message_t message = {
        .user_id = row->user_id,
        .peer_id = row->peer_id,
        .message_id = row->write->stored_id,
        .sender_id = row->write->sender_id,
        .version = row->change->version,
        .client_message_id = row->write->client_message_id,
        .client_message_id_len = row->write->client_message_id_len,
        .content = row->write->content,
        .content_len = row->write->content_len,
        .status = row->write->sender_id == row->user_id
                      ? pl_conversation_status_of(&row->change->conversation, row->write->stored_id)
                      : 0,
    };
    pl_message_to_json(out, &message);
}

/* Writes the conversation as it is after the batch. `newest` is its row with the highest message
 * id, `last` the row with the highest version. */
static void conversation_to_json(pl_buffer_t *out, const row_t *newest, const row_t *last)
{
    const pl_message_write_t *write = newest->write;
    const pl_conversation_t conversation = {
        .user_id = newest->user_id,
        .peer_id = newest->peer_id,
        .last_message_id = write->stored_id,
        .version = last->change->version,
        .state = last->change->conversation,
        .snippet = write->content,
        .snippet_len = pl_utf8_prefix(write->content, write->content_len, PL_SNIPPET_CODE_POINTS),
    };
    pl_conversation_to_json(out, &conversation);
}

/* Writes each conversation once, at its last row, so that they are in the order of versions.
 * Returns false if the state of one must be read from the database. There are two reasons: there
 * was no waiter when the write was sent, so the write did not return the conversation; or the
 * conversation may have a newer message that is not in this batch. A message whose time is later
 * than the mailbox's version before the batch is newer than everything that was in the mailbox, and
 * than what its user cleared. */
static bool conversations_to_json(pl_buffer_t *out, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const row_t *newest = &rows[i];
        bool is_last = true;
        for (size_t j = 0; j < count; j++) {
            if (rows[j].peer_id != rows[i].peer_id)
                continue;
            is_last = is_last && j <= i;
            if (rows[j].write->stored_id > newest->write->stored_id)
                newest = &rows[j];
        }
        if (!is_last)
            continue;
        if (!rows[i].change->has_conversation ||
            pl_message_id_timestamp(newest->write->stored_id) <= newest->change->mailbox_previous)
            return false;
        conversation_to_json(out, newest, &rows[i]);
    }
    return true;
}

static bool delta_to_json(pl_buffer_t *out, const row_t *rows, size_t count)
{
    const pl_page_t page = {
        .version = rows[0].change->mailbox_version, .is_delta = true, .has_more = false};

    pl_json_object_begin(out);
    pl_json_key(out, "messages");
    pl_json_array_begin(out);
    for (size_t i = 0; i < count; i++) {
        /* Only the database can turn a message's `extra` into the JSON of the API. */
        if (rows[i].write->extra != NULL)
            return false;
        message_to_json(out, &rows[i]);
    }
    pl_json_array_end(out);
    pl_json_key(out, "conversations");
    pl_json_array_begin(out);
    if (!conversations_to_json(out, rows, count))
        return false;
    pl_json_array_end(out);
    pl_page_tail_to_json(out, &page);
    pl_json_object_end(out);
    return true;
}

static void build_one(pl_commit_deltas_t *deltas, const row_t *rows, size_t count)
{
    pl_commit_delta_t *delta = &deltas->items[deltas->count++];
    size_t retries = 0;

    while (retries < count && !rows[retries].is_new)
        retries++;
    const pl_mailbox_change_t *change = rows[count - 1].change;
    *delta = (pl_commit_delta_t){
        .user_id = rows[0].user_id,
        .previous = change->mailbox_previous,
        .version = change->mailbox_version,
        .offset = deltas->text.len,
        .messages_count = count - retries,
    };
    if (retries == count)
        return;
    /* The JSON writer puts a comma after a finished value. The newline hides the end of the delta
     * before this one from it. */
    pl_buffer_append_char(&deltas->text, '\n');
    delta->offset++;
    if (delta_to_json(&deltas->text, rows + retries, count - retries))
        delta->len = deltas->text.len - delta->offset;
    else
        deltas->text.len = delta->offset;
}

void pl_commit_deltas_build(pl_commit_deltas_t *deltas, pl_op_t *const *writes, size_t count,
                            bool (*is_wanted)(void *arg, int64_t user_id), void *arg)
{
    row_t *rows = pl_malloc(2 * count * sizeof(*rows));
    size_t rows_count = collect(rows, writes, count, is_wanted, arg), room = 0;

    *deltas = (pl_commit_deltas_t){.items = pl_malloc(rows_count * sizeof(pl_commit_delta_t))};
    for (size_t i = 0; i < rows_count; i++)
        room += MESSAGE_BYTES + 2 * rows[i].write->content_len;
    if (room > 0)
        pl_buffer_reserve(&deltas->text, room);
    for (size_t first = 0, end; first < rows_count; first = end) {
        for (end = first + 1; end < rows_count && rows[end].user_id == rows[first].user_id;)
            end++;
        build_one(deltas, rows + first, end - first);
    }
    free(rows);
}

void pl_commit_deltas_from_wakes(pl_commit_deltas_t *deltas, const pl_mailbox_wake_t *wakes,
                                 size_t count, bool (*is_wanted)(void *arg, int64_t user_id),
                                 void *arg)
{
    *deltas = (pl_commit_deltas_t){.items = pl_malloc(count * sizeof(pl_commit_delta_t))};
    for (size_t i = 0; i < count; i++)
        if (is_wanted(arg, wakes[i].user_id))
            deltas->items[deltas->count++] = (pl_commit_delta_t){
                .user_id = wakes[i].user_id,
                .previous = wakes[i].previous,
                .version = wakes[i].version,
            };
}

void pl_commit_deltas_get(const pl_commit_deltas_t *deltas, size_t index, pl_wake_t *wake_r)
{
    const pl_commit_delta_t *delta = &deltas->items[index];
    *wake_r = (pl_wake_t){
        .user_id = delta->user_id,
        .previous = delta->previous,
        .version = delta->version,
        .delta = delta->len > 0 ? deltas->text.data + delta->offset : NULL,
        .delta_len = delta->len,
        .messages_count = delta->messages_count,
    };
}

void pl_commit_deltas_dispose(pl_commit_deltas_t *deltas)
{
    free(deltas->items);
    pl_buffer_dispose(&deltas->text);
}
