/* Reading blocks. Blocking and unblocking is a change (store/change.h) of the kind `block`. */
#ifndef PL_STORE_BLOCK_H
#define PL_STORE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

typedef struct pl_block {
    int64_t blocked_id;
    int64_t blocked_us; /* time of the block */
} pl_block_t;

#define PL_BLOCKS_PAGE_MAX 100

/* A page of one user's blocks, in the order of ids. For a read lane of user_id's shard. */
typedef struct pl_blocks_read {
    pl_op_t op; /* kind: pl_blocks_read_kind */
    int64_t user_id;
    int64_t after; /* 0, or an id: only those above it */
    int32_t page_size;
    /* The answer. */
    bool found; /* false: the user does not exist */
    bool has_more;
    size_t count;
    pl_block_t blocks[PL_BLOCKS_PAGE_MAX];
} pl_blocks_read_t;

extern const pl_op_kind_t pl_blocks_read_kind;

/* Whether user_id has blocked another. For a read lane of user_id's shard; many of one shard are
 * one statement. */
typedef struct pl_block_check {
    pl_op_t op; /* kind: pl_block_check_kind */
    int64_t user_id;
    int64_t other_id;
    /* The answer. */
    bool is_blocked;
} pl_block_check_t;

extern const pl_op_kind_t pl_block_check_kind;

#endif
