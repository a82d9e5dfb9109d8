/* Reading groups: the group itself, in its home shard, and its members, in a member's shard. */
#ifndef PL_STORE_GROUP_H
#define PL_STORE_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

#define PL_GROUP_MEMBERS_MAX 1024

/* For a read lane of the group's shard. */
typedef struct pl_group_read {
    pl_op_t op; /* kind: pl_group_read_kind */
    int64_t group_id;
    int64_t caller_id;
    /* The answer: a Group of the API as JSON; NULL if it does not exist or the caller is no member.
     * The owner frees it. */
    char *json;
    size_t json_len;
} pl_group_read_t;

extern const pl_op_kind_t pl_group_read_kind;

/* For a read lane of the member's shard. */
typedef struct pl_group_members_read {
    pl_op_t op; /* kind: pl_group_members_read_kind */
    int64_t group_id;
    int64_t member_id;
    void *owner; /* for the caller's use */
    /* The answer; count 0: member_id is no member. */
    int64_t members[PL_GROUP_MEMBERS_MAX];
    size_t count;
} pl_group_members_read_t;

extern const pl_op_kind_t pl_group_members_read_kind;

#endif
