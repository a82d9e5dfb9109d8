/* Whether a user has conversations: what lets them see another's presence. */
#ifndef PL_STORE_CONVERSATION_H
#define PL_STORE_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

#define PL_CONVERSATIONS_CHECK_MAX 100

/* For a read lane of user_id's shard. */
typedef struct pl_conversations_check {
    pl_op_t op; /* kind: pl_conversations_check_kind */
    int64_t user_id;
    int64_t peers[PL_CONVERSATIONS_CHECK_MAX];
    size_t count;
    /* The answer. */
    bool found;                           /* false: there is no such user */
    bool has[PL_CONVERSATIONS_CHECK_MAX]; /* a conversation with the peer of that place */
} pl_conversations_check_t;

extern const pl_op_kind_t pl_conversations_check_kind;

#endif
