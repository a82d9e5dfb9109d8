/* Reading mailboxes' versions: what validates a cached response, and whether a user exists. */
#ifndef PL_STORE_MAILBOX_H
#define PL_STORE_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

/* For a read lane of the user's shard. Many of one shard are one statement. */
typedef struct pl_version_read {
    pl_op_t op; /* kind: pl_version_read_kind */
    int64_t user_id;
    /* The answer. */
    bool found; /* false: there is no such user */
    int64_t version;
} pl_version_read_t;

extern const pl_op_kind_t pl_version_read_kind;

#endif
