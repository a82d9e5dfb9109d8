/* Reading mailboxes' versions: what validates a cached response, and whether a user exists. */
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
    bool found; /* false: there is no such user */
    int64_t version;
} pl_version_read_t;

/* For a read lane: an error tells that the shard is not in this database any more. */
extern const pl_op_kind_t pl_version_read_kind;
/* For the check lane: many of any shards are one statement, and a shard that is not here looks as
 * if the user did not exist. So what is not found is to be asked again in another way. */
extern const pl_op_kind_t pl_version_check_kind;

#endif
