/*
 * blockUser, unblockUser, fetchBlock and fetchBlocks.
 *
 * A block is a row of the blocker's mailbox, which a send reads in its own transaction: once a
 * block is done, no server accepts a message from the blocked user.
 */
#ifndef PL_CORE_BLOCK_H
#define PL_CORE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/flow.h"
#include "store/block.h"

/* Called once, on the loop, never before pl_block_start returns. */
typedef void (*pl_block_done_fn)(const pl_outcome_t *outcome, void *owner);

/* Blocks or unblocks. An erased user can be unblocked, but not blocked. */
void pl_block_start(pl_core_t *core, int64_t user_id, int64_t other_id, bool is_blocked,
                    pl_block_done_fn on_done, void *owner);

/* `read` has the page; it dies with the callback. */
typedef void (*pl_blocks_fetched_fn)(const pl_outcome_t *outcome, const pl_blocks_read_t *read,
                                     void *owner);

/* A page of user_id's blocks. The flow lives until the callback; it may be abandoned. */
pl_flow_t *pl_blocks_fetch_start(pl_core_t *core, int64_t user_id, int64_t after, int32_t page_size,
                                 pl_blocks_fetched_fn on_done, void *owner);

#endif
