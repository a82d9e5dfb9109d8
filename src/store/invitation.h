/*
 * Reading invitations to groups, and the settings that decide whether a user is added or invited.
 * The invitations themselves are changes (store/change.h) of the kinds group_join, group_create,
 * group_accept and decline.
 */
#ifndef PL_STORE_INVITATION_H
#define PL_STORE_INVITATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

/* A user's open invitations. For a read lane of user_id's shard. */
typedef struct pl_invitations_read {
    pl_op_t op; /* kind: pl_invitations_read_kind */
    int64_t user_id;
    /* The answer: a JSON array of Invitations of the API, freed by the owner; NULL: the user does
     * not exist. */
    char *json;
    size_t json_len;
} pl_invitations_read_t;

extern const pl_op_kind_t pl_invitations_read_kind;

/* Values of parley.group_consents. */
enum pl_consent {
    PL_CONSENT_NONE,     /* must be invited; also a user who does not exist */
    PL_CONSENT_EVERYONE, /* may be added */
    PL_CONSENT_CONTACTS, /* may be added by users to whom they have written */
};

/* Whether adder_id may add user_id to a group, by the settings and the blocks of user_id. For a
 * read lane of user_id's database; many of any shards are one statement. */
typedef struct pl_consent_read {
    pl_op_t op; /* kind: pl_consent_read_kind */
    int64_t adder_id;
    int64_t user_id;
    /* The answer. */
    enum pl_consent consent;
} pl_consent_read_t;

extern const pl_op_kind_t pl_consent_read_kind;

/* Whether a message from other_id has ever arrived in the mailbox of user_id. For a read lane of
 * user_id's shard; many of one shard are one statement. */
typedef struct pl_written_read {
    pl_op_t op; /* kind: pl_written_read_kind */
    int64_t user_id;
    int64_t other_id;
    /* The answer. */
    bool has_written;
} pl_written_read_t;

extern const pl_op_kind_t pl_written_read_kind;

#endif
