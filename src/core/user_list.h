/*
 * fetchGroupMembers, fetchMessageReceipts and fetchReactions: one page of a list of users.
 *
 *   of a group:    visible-reads, in the caller's shard -> list, in the group's home -> done
 *   of a mailbox:  list, in the caller's own mailbox ---------------------------------> done
 *
 * A user who hides their own read receipts does not see others'; so what the group's home shows
 * depends on the caller's account.
 */
#ifndef PL_CORE_USER_LIST_H
#define PL_CORE_USER_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "core/flow.h"
#include "store/user_list.h"

enum pl_user_list_kind {
    PL_USER_LIST_MEMBERS,   /* of the group peer_id */
    PL_USER_LIST_RECEIPTS,  /* of a message in the conversation with peer_id */
    PL_USER_LIST_REACTIONS, /* to it */
};

/* Valid input. The emoji is copied. */
typedef struct pl_user_list_order {
    enum pl_user_list_kind kind;
    int64_t actor_id;
    int64_t peer_id;
    int64_t message_id;
    const char *emoji; /* NULL: reactions of all kinds */
    size_t emoji_len;
    int64_t after;
    int32_t page_size; /* at most PL_USER_LIST_PAGE_MAX */
} pl_user_list_order_t;

/* Called once, on the loop, never before pl_user_list_start returns. `json`: the answer of the API
 * with PL_OUTCOME_DONE; it dies with the callback. */
typedef void (*pl_user_list_done_fn)(const pl_outcome_t *outcome, const char *json, size_t len,
                                     void *owner);

/* The flow lives until the callback; it may be abandoned. */
pl_flow_t *pl_user_list_start(pl_core_t *core, const pl_user_list_order_t *order,
                              pl_user_list_done_fn on_done, void *owner);

#endif
