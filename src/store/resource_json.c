#include "store/resource_json.h"

#include <string.h>

#include "base/id.h"
#include "base/json_write.h"

/* A group may have many members: neither its Conversation nor its messages list them. */
static void participants(pl_buffer_t *out, int64_t user_id, int64_t peer_id)
{
    pl_json_key(out, "participants");
    pl_json_array_begin(out);
    if (!pl_id_is_group(peer_id)) {
        pl_json_id(out, user_id < peer_id ? user_id : peer_id);
        if (user_id != peer_id)
            pl_json_id(out, user_id < peer_id ? peer_id : user_id);
    }
    pl_json_array_end(out);
}

/* An id from a client is printable. The server's own ids are not. */
static bool is_system(const pl_message_t *message)
{
    return message->client_message_id_len > 0 && message->client_message_id[0] == '\1';
}

/* A note to oneself has no other reader: it is read as soon as it is stored. */
static const char *status_word(const pl_message_t *message)
{
    if (message->status == 'r' || message->user_id == message->peer_id)
        return "read";
    return message->status == 'd' ? "delivered" : "sent";
}

void pl_message_to_json(pl_buffer_t *out, const pl_message_t *message)
{
    pl_json_object_begin(out);
    pl_json_key(out, "messageId");
    pl_json_id(out, message->message_id);
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, message->user_id, message->peer_id);
    pl_json_key(out, "senderId");
    pl_json_id(out, message->sender_id);
    participants(out, message->user_id, message->peer_id);
    /* A sent message is never empty, so this one is deleted. */
    if (message->content_len > 0) {
        pl_json_key(out, "messageContent");
        pl_json_string(out, message->content, message->content_len);
    }
    pl_json_key(out, "sentTimestamp");
    pl_json_int64(out, pl_message_id_timestamp(message->message_id));
    if (!is_system(message)) {
        pl_json_key(out, "clientMessageId");
        pl_json_string(out, message->client_message_id, message->client_message_id_len);
    }
    pl_json_key(out, "lastUpdatedTimestamp");
    pl_json_int64(out, message->version);
    if (message->status != 0) {
        pl_json_key(out, "status");
        pl_json_text(out, status_word(message));
    }
    if (message->extra_len > 0) {
        pl_json_raw(out, message->extra, message->extra_len);
    } else {
        pl_json_key(out, "messageType");
        pl_json_text(out, "user");
    }
    pl_json_object_end(out);
}

static void member_state(pl_buffer_t *out, int64_t user_id, int64_t delivered_up_to,
                         int64_t read_up_to)
{
    pl_json_object_begin(out);
    pl_json_key(out, "userId");
    pl_json_id(out, user_id);
    pl_json_key(out, "deliveredUpTo");
    pl_json_id(out, delivered_up_to);
    pl_json_key(out, "readUpTo");
    pl_json_id(out, read_up_to);
    pl_json_object_end(out);
}

static const char *conversation_type(const pl_conversation_t *conversation)
{
    if (pl_id_is_group(conversation->peer_id))
        return "group";
    return conversation->peer_id == conversation->user_id ? "self" : "direct";
}

static void member_states(pl_buffer_t *out, const pl_conversation_t *conversation)
{
    const pl_conversation_state_t *state = &conversation->state;

    pl_json_key(out, "memberStates");
    pl_json_array_begin(out);
    /* A client that reads this has the last message. */
    member_state(out, conversation->user_id, conversation->last_message_id, state->read_up_to);
    if (conversation->peer_id != conversation->user_id)
        member_state(out, conversation->peer_id, state->peer_delivered_up_to,
                     state->peer_read_up_to);
    pl_json_array_end(out);
}

static void membership(pl_buffer_t *out, int64_t member_count, bool is_member)
{
    pl_json_key(out, "memberCount");
    pl_json_int64(out, member_count);
    pl_json_key(out, "isMember");
    pl_json_bool(out, is_member);
}

/* The members, and how far the messages have come to the others. */
static void members(pl_buffer_t *out, const pl_conversation_t *conversation)
{
    const pl_conversation_state_t *state = &conversation->state;
    bool is_group = pl_id_is_group(conversation->peer_id);

    pl_json_key(out, "conversationType");
    pl_json_text(out, conversation_type(conversation));
    participants(out, conversation->user_id, conversation->peer_id);
    if (!is_group)
        membership(out, conversation->peer_id == conversation->user_id ? 1 : 2, true);
    else if (conversation->view_len > 0)
        pl_json_raw(out, conversation->view, conversation->view_len);
    else
        membership(out, 0, false);
    pl_json_key(out, "othersDeliveredUpTo");
    pl_json_id(out, state->peer_delivered_up_to);
    pl_json_key(out, "othersReadUpTo");
    pl_json_id(out, state->peer_read_up_to);
    if (!is_group)
        member_states(out, conversation);
}

static void conversation_state(pl_buffer_t *out, const pl_conversation_t *conversation)
{
    const pl_conversation_state_t *state = &conversation->state;

    pl_json_key(out, "unreadCount");
    pl_json_int64(out, state->unread_count);
    pl_json_key(out, "readUpTo");
    pl_json_id(out, state->read_up_to);
    pl_json_key(out, "clearedUpTo");
    pl_json_id(out, state->cleared_up_to);
    pl_json_key(out, "mutedUntil");
    pl_json_int64(out, state->muted_until);
    pl_json_key(out, "archived");
    pl_json_bool(out, state->archived);
    pl_json_key(out, "pinned");
    pl_json_bool(out, state->pinned);
    pl_json_key(out, "markedUnread");
    pl_json_bool(out, state->marked_unread);
}

/* Notes to oneself are read as soon as they are stored; the row's watermarks do not change. */
static pl_conversation_t as_shown(const pl_conversation_t *conversation)
{
    pl_conversation_t shown = *conversation;

    if (shown.user_id == shown.peer_id) {
        shown.state.read_up_to = shown.last_message_id;
        shown.state.peer_read_up_to = shown.last_message_id;
        shown.state.peer_delivered_up_to = shown.last_message_id;
    }
    return shown;
}

void pl_conversation_to_json(pl_buffer_t *out, const pl_conversation_t *conversation)
{
    const pl_conversation_t shown = as_shown(conversation);

    pl_json_object_begin(out);
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, shown.user_id, shown.peer_id);
    members(out, &shown);
    pl_json_key(out, "snippet");
    pl_json_string(out, shown.snippet, shown.snippet_len);
    pl_json_key(out, "lastUpdatedTimestamp");
    pl_json_int64(out, shown.version);
    pl_json_key(out, "lastMessageTimestamp");
    pl_json_int64(out, pl_message_id_timestamp(shown.last_message_id));
    pl_json_key(out, "lastMessageId");
    pl_json_id(out, shown.last_message_id);
    conversation_state(out, &shown);
    pl_json_object_end(out);
}

void pl_user_members_to_json(pl_buffer_t *out, const pl_account_t *account)
{
    pl_json_key(out, "userId");
    pl_json_id(out, account->user_id);
    pl_json_key(out, "username");
    pl_json_text(out, account->username);
    pl_json_key(out, "displayName");
    pl_json_text(out, account->display_name);
    pl_json_key(out, "createdTimestamp");
    pl_json_int64(out, account->created_us);
    if (account->metadata != NULL) {
        pl_json_key(out, "metadata");
        pl_json_raw(out, account->metadata, strlen(account->metadata));
    }
}

void pl_user_to_json(pl_buffer_t *out, const pl_account_t *account)
{
    pl_json_object_begin(out);
    pl_user_members_to_json(out, account);
    pl_json_object_end(out);
}

void pl_deleted_user_to_json(pl_buffer_t *out, int64_t user_id, int64_t deleted_us)
{
    const pl_account_t nameless = {.user_id = user_id,
                                   .username = "",
                                   .display_name = "",
                                   .created_us = pl_id_created_us(user_id)};

    pl_json_object_begin(out);
    pl_user_members_to_json(out, &nameless);
    pl_json_key(out, "deletedTimestamp");
    pl_json_int64(out, deleted_us);
    pl_json_object_end(out);
}

void pl_settings_members_to_json(pl_buffer_t *out, const pl_account_t *account)
{
    pl_json_key(out, "readReceipts");
    pl_json_bool(out, account->read_receipts);
    pl_json_key(out, "showPresence");
    pl_json_bool(out, account->show_presence);
    pl_json_key(out, "groupInvites");
    pl_json_text(out, account->group_invites);
}

void pl_account_to_json(pl_buffer_t *out, const pl_account_t *account)
{
    pl_json_object_begin(out);
    pl_user_members_to_json(out, account);
    pl_settings_members_to_json(out, account);
    pl_json_object_end(out);
}

static void optional_text(pl_buffer_t *out, const char *key, const char *text)
{
    if (text == NULL)
        return;
    pl_json_key(out, key);
    pl_json_text(out, text);
}

void pl_session_members_to_json(pl_buffer_t *out, const pl_session_t *session)
{
    pl_json_key(out, "sessionId");
    pl_json_id(out, session->session_id);
    optional_text(out, "deviceName", session->device_name);
    optional_text(out, "address", session->address);
    pl_json_key(out, "createdTimestamp");
    pl_json_int64(out, session->created_us);
    pl_json_key(out, "lastSeenTimestamp");
    pl_json_int64(out, session->last_seen_us);
    pl_json_key(out, "expiresTimestamp");
    pl_json_int64(out, session->expires_us);
}

void pl_sent_message_to_json(pl_buffer_t *out, const pl_sent_message_t *message)
{
    pl_json_object_begin(out);
    pl_json_key(out, "messageId");
    pl_json_id(out, message->message_id);
    pl_json_key(out, "conversationId");
    pl_json_conversation_id(out, message->sender_id, message->peer_id);
    pl_json_key(out, "senderId");
    pl_json_id(out, message->sender_id);
    pl_json_key(out, "clientMessageId");
    pl_json_string(out, message->client_message_id, message->client_message_id_len);
    pl_json_key(out, "sentTimestamp");
    pl_json_int64(out, pl_message_id_timestamp(message->message_id));
    pl_json_key(out, "senderCopy");
    pl_json_text(out, message->is_copy_stored ? "stored" : "pending");
    pl_json_key(out, "duplicate");
    pl_json_bool(out, message->is_duplicate);
    pl_json_object_end(out);
}

void pl_page_tail_to_json(pl_buffer_t *out, const pl_page_t *page)
{
    pl_json_key(out, "isDeltaUpdate");
    pl_json_bool(out, page->is_delta);
    pl_json_key(out, "lastUpdatedTimestamp");
    pl_json_int64(out, page->version);
    pl_json_key(out, "hasMore");
    pl_json_bool(out, page->has_more);
}

static bool starts_at_cursor(const pl_page_read_t *read, const pl_page_t *page)
{
    return page->is_delta || read->since == 0;
}

/* The first row to write. A delta begins at the cursor and may end early. A page that replaces the
 * client's view must reach the newest row, so it leaves out the oldest. */
static size_t first_row(const pl_page_read_t *read, const pl_page_t *page, size_t max_bytes)
{
    size_t bytes = 0;
    pl_message_t message;
    pl_conversation_t conversation;

    if (starts_at_cursor(read, page))
        return 0;
    for (size_t i = pl_page_length(read); i-- > 0;) {
        if (pl_page_update(read, i, &message, &conversation) != 'm')
            continue;
        if (bytes > 0 && bytes + message.content_len > max_bytes)
            return i + 1;
        bytes += message.content_len;
    }
    return 0;
}

static void updated_messages(pl_buffer_t *out, const pl_page_read_t *read, pl_page_t *page,
                             size_t max_bytes)
{
    size_t start = out->len;
    int64_t last_version = 0;
    pl_message_t message;
    pl_conversation_t conversation;

    for (size_t i = first_row(read, page, max_bytes); i < pl_page_length(read); i++) {
        if (pl_page_update(read, i, &message, &conversation) != 'm' ||
            message.version > page->version)
            continue;
        if (last_version != 0 && starts_at_cursor(read, page) &&
            out->len - start + message.content_len > max_bytes) {
            page->version = last_version;
            page->has_more = true;
            return;
        }
        pl_message_to_json(out, &message);
        last_version = message.version;
    }
}

static void updated_conversations(pl_buffer_t *out, const pl_page_read_t *read,
                                  const pl_page_t *page)
{
    pl_message_t message;
    pl_conversation_t conversation;

    for (size_t i = 0; i < pl_page_length(read); i++)
        if (pl_page_update(read, i, &message, &conversation) == 'c' &&
            conversation.version <= page->version)
            pl_conversation_to_json(out, &conversation);
}

static void updated_invitations(pl_buffer_t *out, const pl_page_read_t *read, const pl_page_t *page)
{
    size_t len;
    int64_t version;
    const char *invitations = pl_page_invitations(read, &len, &version);

    if (invitations == NULL || version > page->version)
        return;
    pl_json_key(out, "invitations");
    pl_buffer_append(out, invitations, len);
}

void pl_delta_to_json(pl_buffer_t *out, const pl_page_read_t *read, pl_page_t *page,
                      size_t max_bytes)
{
    pl_json_object_begin(out);
    pl_json_key(out, "messages");
    pl_json_array_begin(out);
    updated_messages(out, read, page, max_bytes);
    pl_json_array_end(out);
    pl_json_key(out, "conversations");
    pl_json_array_begin(out);
    updated_conversations(out, read, page);
    pl_json_array_end(out);
    updated_invitations(out, read, page);
    pl_page_tail_to_json(out, page);
    pl_json_object_end(out);
}
