/* Whether a mailbox has a message: for a send that replies to it. */
#ifndef PL_STORE_MESSAGE_CHECK_H
#define PL_STORE_MESSAGE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

/* For a read lane of mailbox_id's shard. Many of one shard are one statement. */
typedef struct pl_message_check {
    pl_op_t op; /* kind: pl_message_check_kind */
    int64_t mailbox_id;
    int64_t peer_id;
    int64_t message_id;
    /* The answer. */
    bool found; /* also if it is deleted */
} pl_message_check_t;

extern const pl_op_kind_t pl_message_check_kind;

#endif
