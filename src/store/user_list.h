/*
 * Reading lists of users that are too long for one answer: the members of a group, how far a
 * message has come to each recipient, and who has reacted to it. A page is in the order of userIds.
 */
#ifndef PL_STORE_USER_LIST_H
#define PL_STORE_USER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

#define PL_USER_LIST_PAGE_MAX 100

/* For a read lane of the shard of home_id. The kind says which list, and which members it uses. */
typedef struct pl_user_list_read {
    pl_op_t op;
    /* A group (pl_group_members_list_kind, pl_group_receipts_list_kind), or the user whose copy of
     * the message is read (pl_receipts_list_kind, pl_reactions_list_kind). */
    int64_t home_id;
    int64_t other_id; /* for a group the caller, for a user the peer */
    int64_t message_id;
    int64_t visible_reads; /* of a group: see pl_visible_reads_t */
    const char *emoji;     /* of reactions; NULL: all. It outlives the operation */
    size_t emoji_len;
    int64_t after; /* 0, or an id: only users above it */
    int32_t page_size;
    /* The answer; the owner frees the JSON. */
    char status[32]; /* "done", or why there is no page */
    char *json;      /* the answer of the API; NULL: none */
    size_t json_len;
} pl_user_list_read_t;

extern const pl_op_kind_t pl_group_members_list_kind;
extern const pl_op_kind_t pl_group_receipts_list_kind;
extern const pl_op_kind_t pl_receipts_list_kind;
extern const pl_op_kind_t pl_reactions_list_kind;

/* Up to which message a user sees what the others in a group have read. For a read lane of
 * user_id's shard. */
typedef struct pl_visible_reads {
    pl_op_t op; /* kind: pl_visible_reads_kind */
    int64_t user_id;
    int64_t group_id;
    /* The answer. */
    bool found; /* the user exists */
    int64_t up_to;
} pl_visible_reads_t;

extern const pl_op_kind_t pl_visible_reads_kind;

#endif
