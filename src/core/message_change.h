/*
 * editMessage, deleteMessage, addReaction and removeReaction.
 *
 * A change that concerns both users is made first in the other user's mailbox, because that user
 * must not miss it, and then in the actor's own; in a group, in the group's own mailbox, and then
 * in that of every member. A deletion only for the actor is made only in the actor's own mailbox.
 */
#ifndef PL_CORE_MESSAGE_CHANGE_H
#define PL_CORE_MESSAGE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "core/outcome.h"

/* Bytes. An emoji has a few code points; a client may use other short texts. */
#define PL_EMOJI_MAX 64

enum pl_message_change_kind {
    PL_MESSAGE_EDIT,
    PL_MESSAGE_DELETE,        /* for everyone */
    PL_MESSAGE_DELETE_FOR_ME, /* only for the actor */
    PL_MESSAGE_REACTION_ADD,
    PL_MESSAGE_REACTION_REMOVE,
};

/* The texts are copied. */
typedef struct pl_message_change_order {
    enum pl_message_change_kind kind;
    int64_t actor_id;
    int64_t peer_id; /* a user, or a group */
    int64_t message_id;
    /* The new content, or the emoji: valid UTF-8 without NUL. */
    const char *text;
    size_t text_len;
    const char *metadata; /* of an edit: the new metadata, a JSON object */
    size_t metadata_len;  /* 0: it stays */
} pl_message_change_order_t;

typedef struct pl_message_change_result {
    pl_outcome_t outcome;
    int64_t actor_id;
    int64_t peer_id;
    int64_t message_id;
    int64_t edited_us; /* 0: this change was no edit */
    int64_t deleted_us;
    bool is_copy_stored; /* the change is made in every mailbox */
    /* After a reaction: the message's reactions, an array of the API's Reaction as JSON. Else NULL.
     * It dies with the callback. */
    char *reactions;
    size_t reactions_len;
} pl_message_change_result_t;

/* Called once, on the loop, never before pl_message_change_start returns. */
typedef void (*pl_message_change_done_fn)(const pl_message_change_result_t *result, void *owner);

void pl_message_change_start(pl_core_t *core, const pl_message_change_order_t *order,
                             pl_message_change_done_fn on_done, void *owner);

#endif
