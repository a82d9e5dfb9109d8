/*
 * Exporting everything that the system stores about one user, as lines of JSON: reading the user's
 * blocks, and writing lines from rows that were read. A line has its kind in `type`, and its object
 * in a member of that name.
 *
 * Conversations, messages and open invitations are read as deltas from the beginning
 * (pl_updates_read_kind): a row that changes during the export comes again in a later delta, so
 * nothing is missed.
 */
#ifndef PL_STORE_EXPORT_H
#define PL_STORE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "db/op.h"
#include "store/account.h"
#include "store/page.h"
#include "store/session.h"

/* For a read lane of user_id's shard. */
typedef struct pl_blocks_export {
    pl_op_t op; /* kind: pl_blocks_export_kind */
    int64_t user_id;
    int64_t after;     /* only ids above it */
    int32_t page_size; /* the last page is not full */
    /* The answer; freed by pl_blocks_export_dispose. */
    PGresult *result;
} pl_blocks_export_t;

extern const pl_op_kind_t pl_blocks_export_kind;

void pl_blocks_export_dispose(pl_blocks_export_t *blocks);

/* Lines that were written. */
typedef struct pl_export_counts {
    int64_t sessions;
    int64_t blocks;
    int64_t conversations;
    int64_t messages;
} pl_export_counts_t;

/* The account (with the fact that it has a password, without the hash) and the settings. */
void pl_export_account(pl_buffer_t *out, const pl_account_t *account);

/* All sessions. */
void pl_export_sessions(pl_buffer_t *out, const pl_sessions_read_t *sessions,
                        pl_export_counts_t *counts);

/* A page of blocks. Returns their number, and in *last_r the last one's id if there is any. */
size_t pl_export_blocks(pl_buffer_t *out, const pl_blocks_export_t *blocks, int64_t *last_r,
                        pl_export_counts_t *counts);

/* A page of conversations and messages, and of the open invitations, which begins at its
 * cursor. Messages beyond `max_bytes` are
 * left out, but at least one is written: then `page` becomes the shorter page, as with
 * pl_delta_to_json. */
void pl_export_updates(pl_buffer_t *out, const pl_page_read_t *read, pl_page_t *page,
                       size_t max_bytes, pl_export_counts_t *counts);

/* The last line. An export without it was cut off. */
void pl_export_end(pl_buffer_t *out, const pl_export_counts_t *counts, int64_t version);

#endif
