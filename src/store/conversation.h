/* The state of a conversation, and whether a user has one with certain others: then they may see
 * those users' presence. */
#ifndef PL_STORE_CONVERSATION_H
#define PL_STORE_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

/* A conversation row besides its last message. Ids are of messages. */
typedef struct pl_conversation_state {
    int32_t unread_count;
    int64_t read_up_to;      /* the user's own watermark; 0: none */
    int64_t peer_read_up_to; /* the peer's, unless they hide read receipts */
    int64_t peer_delivered_up_to;
    int64_t cleared_up_to; /* the user has deleted the messages up to it */
    int64_t muted_until;   /* microseconds; 0: not muted */
    bool archived;
    bool pinned;
    bool marked_unread; /* by the user, until they read the conversation */
} pl_conversation_state_t;

/* Bits of the column `flags` (sql/conversation_flags.sql). */
#define PL_CONVERSATION_ARCHIVED 1
#define PL_CONVERSATION_PINNED 2
#define PL_CONVERSATION_MARKED_UNREAD 4

/* The status of a message of the user's own, as in the column `status`
 * (sql/delivery_status.sql). */
char pl_conversation_status_of(const pl_conversation_state_t *state, int64_t message_id);

#define PL_CONVERSATIONS_CHECK_MAX 100

/* For a read lane of user_id's shard. */
typedef struct pl_conversations_check {
    pl_op_t op; /* kind: pl_conversations_check_kind */
    int64_t user_id;
    int64_t peers[PL_CONVERSATIONS_CHECK_MAX];
    size_t count;
    void *owner; /* for the caller's use */
    /* The answer. */
    bool found;                           /* false: the user does not exist */
    bool has[PL_CONVERSATIONS_CHECK_MAX]; /* by place: a conversation with that peer */
} pl_conversations_check_t;

extern const pl_op_kind_t pl_conversations_check_kind;

#endif
