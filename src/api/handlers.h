/* The handlers of the API's operations, for the table of routes in api.c. Each is in the file of
 * its tag in the OpenAPI document. */
#ifndef PL_API_HANDLERS_H
#define PL_API_HANDLERS_H

#include "http/request.h"

/* capabilities.c */
void pl_on_fetch_capabilities(pl_request_t *request, void *worker);
/* users.c */
void pl_on_create_user(pl_request_t *request, void *worker);
void pl_on_fetch_user(pl_request_t *request, void *worker);
void pl_on_fetch_users(pl_request_t *request, void *worker);
void pl_on_fetch_me(pl_request_t *request, void *worker);
void pl_on_update_me(pl_request_t *request, void *worker);
void pl_on_delete_me(pl_request_t *request, void *worker);
/* export.c */
void pl_on_export_me(pl_request_t *request, void *worker);
/* sessions.c */
void pl_on_create_session(pl_request_t *request, void *worker);
void pl_on_refresh_session(pl_request_t *request, void *worker);
void pl_on_fetch_sessions(pl_request_t *request, void *worker);
void pl_on_end_session(pl_request_t *request, void *worker);
void pl_on_end_current_session(pl_request_t *request, void *worker);
void pl_on_end_other_sessions(pl_request_t *request, void *worker);
void pl_on_revoke_user_sessions(pl_request_t *request, void *worker);
/* messages.c */
void pl_on_send_message(pl_request_t *request, void *worker);
void pl_on_fetch_messages(pl_request_t *request, void *worker);
void pl_on_fetch_message(pl_request_t *request, void *worker);
void pl_on_edit_message(pl_request_t *request, void *worker);
void pl_on_delete_message(pl_request_t *request, void *worker);
void pl_on_fetch_message_receipts(pl_request_t *request, void *worker);
void pl_on_fetch_reactions(pl_request_t *request, void *worker);
void pl_on_add_reaction(pl_request_t *request, void *worker);
void pl_on_remove_reaction(pl_request_t *request, void *worker);
/* conversations.c */
void pl_on_fetch_conversation(pl_request_t *request, void *worker);
void pl_on_fetch_conversation_by_id(pl_request_t *request, void *worker);
void pl_on_update_conversation(pl_request_t *request, void *worker);
void pl_on_delete_conversation(pl_request_t *request, void *worker);
void pl_on_send_receipt(pl_request_t *request, void *worker);
void pl_on_send_typing(pl_request_t *request, void *worker);
/* unread.c */
void pl_on_fetch_unread(pl_request_t *request, void *worker);
void pl_on_mark_all_read(pl_request_t *request, void *worker);
/* groups.c */
void pl_on_create_group(pl_request_t *request, void *worker);
void pl_on_fetch_group(pl_request_t *request, void *worker);
void pl_on_update_group(pl_request_t *request, void *worker);
void pl_on_fetch_group_members(pl_request_t *request, void *worker);
void pl_on_add_group_members(pl_request_t *request, void *worker);
void pl_on_remove_group_member(pl_request_t *request, void *worker);
void pl_on_update_group_member(pl_request_t *request, void *worker);
/* invitations.c */
void pl_on_fetch_invitations(pl_request_t *request, void *worker);
void pl_on_accept_invitation(pl_request_t *request, void *worker);
void pl_on_decline_invitation(pl_request_t *request, void *worker);
/* blocks.c */
void pl_on_fetch_blocks(pl_request_t *request, void *worker);
void pl_on_fetch_block(pl_request_t *request, void *worker);
void pl_on_block_user(pl_request_t *request, void *worker);
void pl_on_unblock_user(pl_request_t *request, void *worker);
/* updates: poll.c, event_stream.c */
void pl_on_fetch_updates(pl_request_t *request, void *worker);
void pl_on_stream_updates(pl_request_t *request, void *worker);
/* presence.c */
void pl_on_fetch_presence(pl_request_t *request, void *worker);
void pl_on_announce_presence(pl_request_t *request, void *worker);

#endif
