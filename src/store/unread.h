/* The totals of unread messages in a mailbox. */
#ifndef PL_STORE_UNREAD_H
#define PL_STORE_UNREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

/* For a read lane of user_id's shard. Many of one shard are one statement. */
typedef struct pl_unread_read {
    pl_op_t op; /* kind: pl_unread_read_kind */
    int64_t user_id;
    /* The answer. */
    bool found; /* false: the user does not exist */
    int64_t conversations_count;
    int64_t messages_count;
    bool has_more; /* older conversations are not counted (sql/shard/fetch_unread.sql) */
} pl_unread_read_t;

extern const pl_op_kind_t pl_unread_read_kind;

#endif
