/*
 * createGroup, fetchGroup, updateGroup, addGroupMembers, removeGroupMember, updateGroupMember and
 * acceptInvitation.
 *
 *   check-users -> consents, in the users' databases -> change, in the group's home -> read -> done
 *
 * The rights of the acting user are checked in the change itself, in the group's own mailbox
 * (sql/shard/change_group_*), and not by an earlier read. A user who exists may be erased before
 * the change; then the group has a member who gets no messages. The consents (core/group_consent.h)
 * are read before: they decide which users are added and which are invited. A block or a setting
 * that was stored before the request counts; one that is stored meanwhile may not.
 */
#ifndef PL_CORE_GROUP_H
#define PL_CORE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/flow.h"
#include "store/group.h"

/* Code points. */
#define PL_GROUP_NAME_MAX 100
#define PL_GROUP_TOPIC_MAX 500
#define PL_CLIENT_GROUP_ID_MAX 64 /* characters */

typedef struct pl_group_result {
    pl_outcome_t outcome; /* PL_OUTCOME_DUPLICATE: the group was created before */
    /* A Group of the contract; NULL after a removal. Dies with the callback. */
    const char *json;
    size_t json_len;
    /* Of CREATE and ADD: a JSON array with the ids of the users who were invited. */
    const char *invited;
    size_t invited_len;
    int64_t unknown_id; /* with PL_OUTCOME_MEMBER_UNKNOWN */
} pl_group_result_t;

/* Called once, on the loop, never before the call returns that started it. */
typedef void (*pl_group_done_fn)(const pl_group_result_t *result, void *owner);

/* The flow lives until the callback; it may be abandoned. */
pl_flow_t *pl_group_fetch_start(pl_core_t *core, int64_t group_id, int64_t actor_id,
                                pl_group_done_fn on_done, void *owner);

enum pl_group_change_kind {
    PL_GROUP_CREATE,
    PL_GROUP_UPDATE,
    PL_GROUP_ADD,
    PL_GROUP_REMOVE,
    PL_GROUP_SET_ROLE,
    PL_GROUP_ACCEPT, /* the actor accepts an invitation */
};

/* Valid input; its parts need not outlive the call. */
typedef struct pl_group_change_order {
    enum pl_group_change_kind kind;
    int64_t actor_id;
    int64_t group_id; /* 0 for a creation */
    const char *name; /* of CREATE and UPDATE; NULL: it stays */
    size_t name_len;
    const char *topic; /* of CREATE and UPDATE; NULL: none, or it stays */
    size_t topic_len;
    const char *metadata; /* of CREATE and UPDATE; NULL: none, or it stays */
    size_t metadata_len;
    const char *client_group_id; /* of CREATE */
    size_t client_group_id_len;
    const int64_t *user_ids; /* of CREATE and ADD; at most PL_GROUP_MEMBERS_MAX */
    size_t users_count;
    int64_t member_id; /* of REMOVE and SET_ROLE */
    const char *role;  /* of SET_ROLE; a literal */
} pl_group_change_order_t;

/* PL_OUTCOME_OUTCOME_UNKNOWN also if the change was made and the group could not be read. */
void pl_group_change_start(pl_core_t *core, const pl_group_change_order_t *order,
                           pl_group_done_fn on_done, void *owner);

#endif
