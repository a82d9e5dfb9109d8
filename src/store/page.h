/*
 * Reading pages and deltas of a mailbox: the operations behind fetchConversation, fetchMessages,
 * fetchUpdates, fetchMessage and fetchConversationById.
 *
 * Reads of one kind and shard share a statement (updates do not). The rows stay in the database's
 * result, which lives until the last of these reads is disposed of; views of them are taken row by
 * row. A page's version was read in the same snapshot as its rows.
 */
#ifndef PL_STORE_PAGE_H
#define PL_STORE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"
#include "store/conversation.h"

/* A page as a whole. */
typedef struct pl_page {
    int64_t version; /* the cursor for the client */
    bool is_delta;
    bool has_more;
    bool has_more_after; /* messages: there are newer ones, as far as newer_limit reaches */
} pl_page_t;

/* A page of messages ends when their texts take so many bytes in JSON, but it has one message. */
#define PL_PAGE_BYTES_MAX 1048576

/* Rows of the database that several reads share. */
typedef struct pl_page_rows pl_page_rows_t;

/* A read of one page, for a read lane of the user's shard and of the owner's loop. Each kind names
 * the members that it uses; the others are 0. */
typedef struct pl_page_read {
    pl_op_t op;
    int64_t user_id;
    int64_t peer_id;   /* messages, one conversation; conversations: with `before` */
    int32_t page_size; /* all; 1 for one conversation */
    int32_t max_bytes; /* updates: of the messages' texts; one message is read in any case */
    int64_t skip;      /* conversations, messages: rows to leave out from the newest on */
    /* messages: only ids below it. conversations: only those after the place of a conversation with
     * this last message and the peer peer_id. 0: no bound. */
    int64_t before;
    int64_t since; /* all: the cursor; 0: none */
    /* messages: besides those, the nearest ones with ids above `after`, one less than the limit;
     * the last one only tells whether there are more. 0: none. `after` is at or above all ids below
     * `before`. */
    int64_t after;
    int32_t newer_limit;
    /* The answer; freed by pl_page_read_dispose. */
    bool found; /* the user exists */
    /* messages: these are not all changes since the cursor, because they are too large for a page.
     * Read the newest page instead. */
    bool is_too_large;
    pl_page_t head;
    pl_page_rows_t *rows; /* NULL: none */
    int first_row; /* index of the first row that is not above `after`: these are newest first */
    int newer_row; /* index of the first row above `after`: these are oldest first */
    size_t newer_length;
    size_t length; /* all rows together */
} pl_page_read_t;

extern const pl_op_kind_t pl_conversations_read_kind;
extern const pl_op_kind_t pl_conversation_read_kind; /* one row, or none */
extern const pl_op_kind_t pl_messages_read_kind;
extern const pl_op_kind_t pl_updates_read_kind;

/* Sets the operation's key, so that equal reads in a batch are one, and its weight: skipped rows
 * cost as much as others. The kind and the members of the read are set already. */
void pl_page_read_init(pl_page_read_t *read);

/* Releases the rows. Call it as soon as they are not needed: they keep other reads' rows in memory
 * too. */
void pl_page_read_dispose(pl_page_read_t *read);

/* False: the user does not exist; then there are no rows. */
bool pl_page_head(const pl_page_read_t *read, pl_page_t *page_r);

/* The number of rows; their indexes begin at 0. */
size_t pl_page_length(const pl_page_read_t *read);

/* One user's copy of a message. Texts point into the result. */
typedef struct pl_message {
    int64_t user_id; /* of the mailbox */
    int64_t peer_id;
    int64_t message_id;
    int64_t sender_id;
    int64_t version;
    const char *client_message_id;
    size_t client_message_id_len;
    const char *content;
    size_t content_len;
    const char *extra; /* members of its JSON object, without the braces; extra_len 0: none, it is
                        * a user's */
    size_t extra_len;
    /* For a message of the user's own: 's' sent, 'd' delivered to the peer, 'r' read by the peer.
     * Else 0. */
    char status;
} pl_message_t;

/* A snippet's characters, at most. Like left(content, 100) in sql/shard/fetch_updates.sql. */
#define PL_SNIPPET_CODE_POINTS 100

/* One user's view of a conversation. */
typedef struct pl_conversation {
    int64_t user_id;
    int64_t peer_id;
    int64_t last_message_id;
    int64_t version;
    pl_conversation_state_t state;
    const char *snippet;
    size_t snippet_len;
    /* The user's view of a group: members of its JSON object, without the braces. Else empty. */
    const char *view;
    size_t view_len;
} pl_conversation_t;

/* The row of a pl_messages_read_kind; or of a pl_conversations_read_kind or
 * pl_conversation_read_kind. */
void pl_page_message(const pl_page_read_t *read, size_t index, pl_message_t *message_r);
void pl_page_conversation(const pl_page_read_t *read, size_t index,
                          pl_conversation_t *conversation_r);

/* The row of a pl_updates_read_kind: returns 'm' and fills the message, or 'c' and fills the
 * conversation; or 'i', for the row of pl_page_invitations. */
char pl_page_update(const pl_page_read_t *read, size_t index, pl_message_t *message_r,
                    pl_conversation_t *conversation_r);

/* All open invitations of the user, as a JSON array, if a pl_updates_read_kind has found that they
 * have changed: the page's last row. Else NULL. *version_r is the version of the change. */
const char *pl_page_invitations(const pl_page_read_t *read, size_t *len_r, int64_t *version_r);

#endif
