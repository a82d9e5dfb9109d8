/* fetchCapabilities: what this server can do, and its limits, for clients that work with several
 * versions and configurations. It needs no token. */
#include <assert.h>

#include "api/body.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/pages.h"
#include "api/poll.h"
#include "auth/password.h"
#include "base/json_write.h"
#include "base/text.h"
#include "core/account.h"
#include "core/group.h"
#include "core/message_change.h"
#include "core/send.h"
#include "http/problem.h"
#include "store/account.h"
#include "store/conversation.h"

/* Features that a client may check before it shows them. A name never changes. */
static const char *const features[] = {
    "blocks",   "export",   "groups",       "invitations", "longPoll", "metadata",
    "notes",    "presence", "reactions",    "receipts",    "replies",  "serverSentEvents",
    "sessions", "typing",   "unreadTotals",
};

/* `userIds` is the limit of fetchUsers, fetchPresence and streamUpdates. */
static_assert(PL_USERS_READ_MAX == PL_CONVERSATIONS_CHECK_MAX, "one limit for lists of userIds");

static void key_int(pl_buffer_t *out, const char *key, int64_t value)
{
    pl_json_key(out, key);
    pl_json_int64(out, value);
}

static void limits_to_json(pl_buffer_t *out, const pl_config_t *config)
{
    pl_json_object_begin(out);
    key_int(out, "messageContentBytes", PL_MESSAGE_CONTENT_MAX);
    key_int(out, "metadataBytes", PL_METADATA_MAX);
    key_int(out, "clientMessageIdCharacters", PL_CLIENT_MESSAGE_ID_MAX);
    key_int(out, "reactionBytes", PL_EMOJI_MAX);
    key_int(out, "pageSize", PL_PAGE_SIZE_MAX);
    key_int(out, "userIds", PL_USERS_READ_MAX);
    key_int(out, "groupMembers", config->groups.max_members);
    key_int(out, "groupNameCharacters", PL_GROUP_NAME_MAX);
    key_int(out, "groupTopicCharacters", PL_GROUP_TOPIC_MAX);
    key_int(out, "clientGroupIdCharacters", PL_CLIENT_GROUP_ID_MAX);
    key_int(out, "usernameCharactersMin", PL_USERNAME_MIN);
    key_int(out, "usernameCharactersMax", PL_USERNAME_MAX);
    key_int(out, "displayNameCharacters", PL_DISPLAY_NAME_MAX);
    key_int(out, "passwordCharactersMin", config->auth.password_min);
    key_int(out, "passwordBytesMax", PL_PASSWORD_MAX);
    key_int(out, "bodyBytes", config->server.max_request_body);
    key_int(out, "longPollSeconds", PL_POLL_TIMEOUT_MAX_S);
    key_int(out, "heartbeatSeconds", config->push.heartbeat_s);
    key_int(out, "accessTokenSeconds", config->auth.token_lifetime_s);
    key_int(out, "sessionSeconds", config->auth.refresh_lifetime_s);
    pl_json_object_end(out);
}

void pl_on_fetch_capabilities(pl_request_t *request, void *worker)
{
    const pl_api_t *api = worker;
    const pl_reply_t reply = {.status = 200, .cache = PL_CACHE_PUBLIC};
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (pl_request_query(request, NULL, 0) != 0)
        return;
    pl_json_object_begin(&body);
    pl_json_key(&body, "version");
    pl_json_text(&body, PL_VERSION);
    pl_json_key(&body, "features");
    pl_json_array_begin(&body);
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        pl_json_text(&body, features[i]);
    pl_json_array_end(&body);
    pl_json_key(&body, "limits");
    limits_to_json(&body, api->config);
    pl_json_object_end(&body);
    pl_request_reply(request, &reply, &body);
}
