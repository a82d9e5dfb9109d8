#include "api/api.h"

#include "api/export.h"
#include "api/handlers.h"
#include "api/updates_drain.h"
#include "base/memory.h"

#define CONVERSATION "/v1/conversations/{conversationId}"
#define MESSAGE CONVERSATION "/messages/{messageId}"
#define GROUP "/v1/groups/{groupId}"

/* If several patterns match a path, the first one gets it, with all of its methods. So /users/me is
 * before /users/{userId}. */
static const pl_route_t routes[] = {
    {"fetchCapabilities", "GET", "/v1/capabilities", pl_on_fetch_capabilities, PL_ROUTE_PUBLIC},
    {"fetchMe", "GET", "/v1/users/me", pl_on_fetch_me, 0},
    {"updateMe", "PATCH", "/v1/users/me", pl_on_update_me, PL_ROUTE_BODY},
    {"deleteMe", "DELETE", "/v1/users/me", pl_on_delete_me, PL_ROUTE_BODY | PL_ROUTE_OPTIONAL_BODY},
    {"exportMe", "GET", "/v1/users/me/export", pl_on_export_me, PL_ROUTE_NO_HEAD},
    {"createUser", "POST", "/v1/users", pl_on_create_user, PL_ROUTE_OPTIONAL_AUTH | PL_ROUTE_BODY},
    {"fetchUsers", "GET", "/v1/users", pl_on_fetch_users, 0},
    {"fetchUser", "GET", "/v1/users/{userId}", pl_on_fetch_user, 0},
    {"revokeUserSessions", "POST", "/v1/users/{userId}/sessions/revoke", pl_on_revoke_user_sessions,
     0},
    {"createSession", "POST", "/v1/sessions", pl_on_create_session,
     PL_ROUTE_PUBLIC | PL_ROUTE_BODY},
    {"refreshSession", "POST", "/v1/sessions/refresh", pl_on_refresh_session,
     PL_ROUTE_PUBLIC | PL_ROUTE_BODY | PL_ROUTE_OPTIONAL_BODY},
    {"fetchSessions", "GET", "/v1/sessions", pl_on_fetch_sessions, 0},
    {"endOtherSessions", "DELETE", "/v1/sessions", pl_on_end_other_sessions, 0},
    {"endCurrentSession", "DELETE", "/v1/sessions/current", pl_on_end_current_session, 0},
    {"endSession", "DELETE", "/v1/sessions/{sessionId}", pl_on_end_session, 0},
    {"sendMessage", "POST", "/v1/messages", pl_on_send_message, PL_ROUTE_BODY},
    {"fetchMessages", "GET", CONVERSATION "/messages", pl_on_fetch_messages, 0},
    {"fetchMessage", "GET", MESSAGE, pl_on_fetch_message, 0},
    {"editMessage", "PATCH", MESSAGE, pl_on_edit_message, PL_ROUTE_BODY},
    {"deleteMessage", "DELETE", MESSAGE, pl_on_delete_message, 0},
    {"fetchMessageReceipts", "GET", MESSAGE "/receipts", pl_on_fetch_message_receipts, 0},
    {"fetchReactions", "GET", MESSAGE "/reactions", pl_on_fetch_reactions, 0},
    {"addReaction", "PUT", MESSAGE "/reactions/{emoji}", pl_on_add_reaction, 0},
    {"removeReaction", "DELETE", MESSAGE "/reactions/{emoji}", pl_on_remove_reaction, 0},
    {"fetchConversation", "GET", "/v1/conversations", pl_on_fetch_conversation, 0},
    {"fetchConversationById", "GET", CONVERSATION, pl_on_fetch_conversation_by_id, 0},
    {"updateConversation", "PATCH", CONVERSATION, pl_on_update_conversation, PL_ROUTE_BODY},
    {"deleteConversation", "DELETE", CONVERSATION, pl_on_delete_conversation, 0},
    {"sendReceipt", "POST", CONVERSATION "/receipts", pl_on_send_receipt, PL_ROUTE_BODY},
    {"sendTyping", "POST", CONVERSATION "/typing", pl_on_send_typing,
     PL_ROUTE_BODY | PL_ROUTE_OPTIONAL_BODY},
    {"fetchUnread", "GET", "/v1/unread", pl_on_fetch_unread, 0},
    {"markAllRead", "POST", "/v1/receipts", pl_on_mark_all_read, PL_ROUTE_BODY},
    {"createGroup", "POST", "/v1/groups", pl_on_create_group, PL_ROUTE_BODY},
    {"fetchGroup", "GET", GROUP, pl_on_fetch_group, 0},
    {"updateGroup", "PATCH", GROUP, pl_on_update_group, PL_ROUTE_BODY},
    {"fetchGroupMembers", "GET", GROUP "/members", pl_on_fetch_group_members, 0},
    {"addGroupMembers", "POST", GROUP "/members", pl_on_add_group_members, PL_ROUTE_BODY},
    {"removeGroupMember", "DELETE", GROUP "/members/{userId}", pl_on_remove_group_member, 0},
    {"updateGroupMember", "PATCH", GROUP "/members/{userId}", pl_on_update_group_member,
     PL_ROUTE_BODY},
    {"fetchInvitations", "GET", "/v1/invitations", pl_on_fetch_invitations, 0},
    {"acceptInvitation", "POST", "/v1/invitations/{groupId}/accept", pl_on_accept_invitation, 0},
    {"declineInvitation", "DELETE", "/v1/invitations/{groupId}", pl_on_decline_invitation, 0},
    {"fetchBlocks", "GET", "/v1/blocks", pl_on_fetch_blocks, 0},
    {"blockUser", "PUT", "/v1/blocks/{userId}", pl_on_block_user, 0},
    {"unblockUser", "DELETE", "/v1/blocks/{userId}", pl_on_unblock_user, 0},
    {"fetchBlock", "GET", "/v1/blocks/{userId}", pl_on_fetch_block, 0},
    {"fetchUpdates", "GET", "/v1/updates", pl_on_fetch_updates, PL_ROUTE_NO_HEAD},
    {"streamUpdates", "GET", "/v1/updates/stream", pl_on_stream_updates, PL_ROUTE_NO_HEAD},
    {"fetchPresence", "GET", "/v1/presence", pl_on_fetch_presence, 0},
    {"announcePresence", "PUT", "/v1/presence", pl_on_announce_presence, 0},
};

void pl_api_add_routes(pl_router_t *router)
{
    pl_router_add(router, routes, sizeof(routes) / sizeof(routes[0]));
}

pl_api_t *pl_api_create(pl_core_t *core, pl_auth_t *auth)
{
    pl_api_t *api = pl_calloc(1, sizeof(*api));

    api->loop = core->loop;
    api->config = core->deps.config;
    api->core = core;
    api->auth = auth;
    api->exports = pl_exports_create();
    api->updates = pl_updates_create(api);
    return api;
}

void pl_api_drain(pl_api_t *api)
{
    pl_updates_drain(api->updates);
}
