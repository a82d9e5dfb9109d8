/*
 * updateConversation and deleteConversation: a user's settings of a conversation, and its deletion
 * for that user.
 *
 * Both change only the user's own mailbox. The other users do not learn of it.
 */
#ifndef PL_CORE_CONVERSATION_CHANGE_H
#define PL_CORE_CONVERSATION_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "core/outcome.h"

enum pl_tristate { PL_UNSET, PL_FALSE, PL_TRUE };

typedef struct pl_conversation_settings {
    int64_t muted_until; /* microseconds since 1970; 0: not muted; -1: unset */
    enum pl_tristate archived;
    enum pl_tristate pinned;
    enum pl_tristate marked_unread;
} pl_conversation_settings_t;

typedef struct pl_conversation_result {
    pl_outcome_t outcome;
    int64_t user_id;
    int64_t peer_id;
    pl_conversation_settings_t settings; /* after an update: the new settings */
} pl_conversation_result_t;

/* Called once, on the loop, never before the call returns that started it. */
typedef void (*pl_conversation_done_fn)(const pl_conversation_result_t *result, void *owner);

/* Changes the settings that are set, also of a conversation with an existing user that has no
 * message yet. */
void pl_conversation_update_start(pl_core_t *core, int64_t user_id, int64_t peer_id,
                                  const pl_conversation_settings_t *settings,
                                  pl_conversation_done_fn on_done, void *owner);

/* Deletes the conversation for this user only. The content of its messages is erased in the
 * background; after the callback it is no longer shown. */
void pl_conversation_delete_start(pl_core_t *core, int64_t user_id, int64_t peer_id,
                                  pl_conversation_done_fn on_done, void *owner);

#endif
