/* The API's resources as JSON: one place for the pages, the long-poll and the stream. */
#ifndef PL_STORE_RESOURCE_JSON_H
#define PL_STORE_RESOURCE_JSON_H

#include "base/buffer.h"
#include "store/account.h"
#include "store/page.h"
#include "store/session.h"

/* A Message and a Conversation of the API. */
void pl_message_to_json(pl_buffer_t *out, const pl_message_t *message);
void pl_conversation_to_json(pl_buffer_t *out, const pl_conversation_t *conversation);

/* A User of the API (public data); the User of an erased account; and an Account, which only its
 * owner sees. */
void pl_user_to_json(pl_buffer_t *out, const pl_account_t *account);
void pl_deleted_user_to_json(pl_buffer_t *out, int64_t user_id, int64_t deleted_us);
void pl_account_to_json(pl_buffer_t *out, const pl_account_t *account);

/* The members of both kinds that an Account has, without its braces. */
void pl_user_members_to_json(pl_buffer_t *out, const pl_account_t *account);
void pl_settings_members_to_json(pl_buffer_t *out, const pl_account_t *account);

/* A session as its user sees it, without the braces. */
void pl_session_members_to_json(pl_buffer_t *out, const pl_session_t *session);

/* The answer of sendMessage. */
typedef struct pl_sent_message {
    int64_t message_id;
    int64_t sender_id;
    int64_t peer_id; /* the recipient, or the group */
    const char *client_message_id;
    size_t client_message_id_len;
    bool is_copy_stored;
    bool is_duplicate;
} pl_sent_message_t;

void pl_sent_message_to_json(pl_buffer_t *out, const pl_sent_message_t *message);

/* A Delta of the API (fetchUpdates, streamUpdates) from a pl_updates_read_kind. Messages beyond
 * `max_bytes` are left out, but at least one is written. A delta loses its last messages: `page`
 * becomes the shorter delta, whose version is that of the last row written and whose has_more is
 * true. A page that replaces the client's view loses its oldest messages, to which the client pages
 * back. */
void pl_delta_to_json(pl_buffer_t *out, const pl_page_read_t *read, pl_page_t *page,
                      size_t max_bytes);

/* The members that end every page: isDeltaUpdate, lastUpdatedTimestamp, hasMore. */
void pl_page_tail_to_json(pl_buffer_t *out, const pl_page_t *page);

#endif
