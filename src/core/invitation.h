/*
 * fetchInvitations and declineInvitation. acceptInvitation is a change of the group (core/group.h).
 *
 * An invitation is a row of the invited user's mailbox, and an open invitation of the group in its
 * home. Declining is a change of the mailbox; a follow-up ends the invitation in the group. So the
 * next read does not show it, wherever the group is.
 */
#ifndef PL_CORE_INVITATION_H
#define PL_CORE_INVITATION_H

#include <stddef.h>
#include <stdint.h>

#include "core/flow.h"

/* Called once, on the loop, never before pl_invitation_decline_start returns. */
typedef void (*pl_invitation_done_fn)(const pl_outcome_t *outcome, void *owner);

/* PL_OUTCOME_DONE also if there is no such invitation. */
void pl_invitation_decline_start(pl_core_t *core, int64_t user_id, int64_t group_id,
                                 pl_invitation_done_fn on_done, void *owner);

/* `json`: an array of Invitations of the contract, with PL_OUTCOME_DONE; it dies with the callback.
 */
typedef void (*pl_invitations_fetched_fn)(const pl_outcome_t *outcome, const char *json, size_t len,
                                          void *owner);

/* The flow lives until the callback; it may be abandoned. */
pl_flow_t *pl_invitations_fetch_start(pl_core_t *core, int64_t user_id,
                                      pl_invitations_fetched_fn on_done, void *owner);

#endif
