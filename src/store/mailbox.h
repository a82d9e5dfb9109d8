/* Reading the versions of mailboxes, which validate cached responses and tell whether users
 * exist. */
#ifndef PL_STORE_MAILBOX_H
#define PL_STORE_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

/* Many of one shard are one statement. */
typedef struct pl_version_read {
    pl_op_t op; /* kind: pl_version_read_kind or pl_version_check_kind */
    int64_t user_id;
    /* The answer. */
    bool found; /* false: the user does not exist */
    int64_t version;
    int64_t auth_epoch; /* when the user's sessions last ended; 0: never */
} pl_version_read_t;

/* For a read lane. If the shard is no longer in this database, the read ends with an error. */
extern const pl_op_kind_t pl_version_read_kind;
/* For the check lane: many reads of any shards are one statement. If a shard is no longer in this
 * database, its users are not found. So a user who is not found has to be read by the other
 * kind. */
extern const pl_op_kind_t pl_version_check_kind;

#endif
