#include "api/users_input.h"

#include <stdint.h>
#include <string.h>

#include "auth/password.h"
#include "core/session.h"

/* A password in the tree of the body. NULL: there is none. */
static void wipe(const char *password, size_t len)
{
    if (password != NULL)
        explicit_bzero((char *)(uintptr_t)password, len);
}

static void decode_username(pl_account_input_t *input, pl_refusal_t *refusal)
{
    const char *text;
    size_t len;

    if (pl_body_text(input->json, "username", true, &text, &len, refusal) &&
        pl_username_normalise(text, len, input->username) != 0)
        pl_body_wrong(refusal, "username", "must be 3 to 64 of a-z 0-9 . _ -");
    input->order.username = input->username;
}

static void decode_name(const pl_json_t *json, const char *key, size_t max, const char **name_r,
                        size_t *len_r, pl_refusal_t *refusal)
{
    size_t length;

    if (!pl_body_text(json, key, false, name_r, len_r, refusal))
        return;
    length = pl_utf8_length(*name_r, *len_r);
    if (length == 0 || length > max)
        pl_body_wrong(refusal, key, "must be 1 to %zu characters", max);
}

static void decode_display_name(const pl_json_t *json, const char **name_r, size_t *len_r,
                                pl_refusal_t *refusal)
{
    decode_name(json, "displayName", PL_DISPLAY_NAME_MAX, name_r, len_r, refusal);
}

/* A password that is compared. It may be older than the rules for a new one. */
static void decode_password(const pl_json_t *json, const char *key, bool required,
                            const char **password_r, size_t *len_r, pl_refusal_t *refusal)
{
    if (pl_body_text(json, key, required, password_r, len_r, refusal) &&
        (*len_r == 0 || *len_r > PL_PASSWORD_MAX))
        pl_body_wrong(refusal, key, "must be 1 to %d bytes", PL_PASSWORD_MAX);
}

static void decode_new_password(const pl_json_t *json, int64_t min, const char **password_r,
                                size_t *len_r, pl_refusal_t *refusal)
{
    if (!pl_body_text(json, "password", false, password_r, len_r, refusal))
        return;
    if (pl_utf8_length(*password_r, *len_r) < (size_t)min || *len_r > PL_PASSWORD_MAX)
        pl_body_wrong(refusal, "password", "must have at least %d characters and at most %d bytes",
                      (int)min, PL_PASSWORD_MAX);
}

/* password_min: the least length of a new password; 0: of a login, which has an old one. */
static int decode(const char *body, size_t len, int64_t password_min, pl_account_input_t *input,
                  pl_refusal_t *refusal)
{
    static const char *const account_keys[] = {"username", "displayName", "password", "metadata",
                                               NULL};
    static const char *const session_keys[] = {"username", "password", "deviceName", NULL};

    bool is_login = password_min == 0;

    memset(input, 0, sizeof(*input));
    pl_refusal_init(refusal);
    if (pl_body_parse(body, len, &input->json, refusal) != 0)
        return -1;
    pl_body_keys(input->json, is_login ? session_keys : account_keys, refusal);
    decode_username(input, refusal);
    if (is_login) {
        decode_name(input->json, "deviceName", PL_DEVICE_NAME_MAX, &input->device_name,
                    &input->device_name_len, refusal);
        decode_password(input->json, "password", true, &input->order.password,
                        &input->order.password_len, refusal);
    } else {
        decode_display_name(input->json, &input->order.display_name, &input->order.display_name_len,
                            refusal);
        pl_body_metadata(body, len, input->json, &input->metadata, refusal);
        input->order.metadata = input->metadata.data;
        input->order.metadata_len = input->metadata.len;
        decode_new_password(input->json, password_min, &input->order.password,
                            &input->order.password_len, refusal);
    }
    if (refusal->fields.count > 0) {
        pl_account_input_dispose(input);
        return pl_refuse_fields(refusal);
    }
    return 0;
}

int pl_account_input_decode(const char *body, size_t len, int64_t password_min,
                            pl_account_input_t *input, pl_refusal_t *refusal)
{
    return decode(body, len, password_min, input, refusal);
}

int pl_session_input_decode(const char *body, size_t len, pl_account_input_t *input,
                            pl_refusal_t *refusal)
{
    return decode(body, len, 0, input, refusal);
}

void pl_account_input_dispose(pl_account_input_t *input)
{
    wipe(input->order.password, input->order.password_len);
    pl_json_free(&input->json);
    pl_buffer_dispose(&input->metadata);
}

static void decode_group_invites(const pl_json_t *json, const char **group_invites_r,
                                 pl_refusal_t *refusal)
{
    static const char *const values[] = {"everyone", "contacts", "nobody"};
    const char *text;
    size_t len;

    if (!pl_body_text(json, "groupInvites", false, &text, &len, refusal))
        return;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (strcmp(text, values[i]) == 0)
            *group_invites_r = values[i];
    if (*group_invites_r == NULL)
        pl_body_wrong(refusal, "groupInvites", "must be everyone, contacts or nobody");
}

static void decode_profile(const char *body, size_t len, int64_t password_min,
                           pl_profile_input_t *input, pl_refusal_t *refusal)
{
    static const char *const keys[] = {
        "displayName",  "password",     "currentPassword", "readReceipts",
        "showPresence", "groupInvites", "metadata",        NULL};

    pl_body_keys(input->json, keys, refusal);
    decode_display_name(input->json, &input->change.display_name, &input->change.display_name_len,
                        refusal);
    decode_new_password(input->json, password_min, &input->change.password,
                        &input->change.password_len, refusal);
    decode_password(input->json, "currentPassword", false, &input->change.current_password,
                    &input->change.current_password_len, refusal);
    if (pl_body_bool(input->json, "readReceipts", &input->read_receipts, refusal))
        input->change.read_receipts = &input->read_receipts;
    if (pl_body_bool(input->json, "showPresence", &input->show_presence, refusal))
        input->change.show_presence = &input->show_presence;
    decode_group_invites(input->json, &input->change.group_invites, refusal);
    pl_body_metadata(body, len, input->json, &input->metadata, refusal);
    input->change.metadata = input->metadata.data;
    input->change.metadata_len = input->metadata.len;
}

static bool changes_something(const pl_account_change_t *change)
{
    return change->display_name != NULL || change->password != NULL ||
           change->read_receipts != NULL || change->show_presence != NULL ||
           change->group_invites != NULL || change->metadata_len > 0;
}

int pl_profile_input_decode(const char *body, size_t len, int64_t password_min,
                            pl_profile_input_t *input, pl_refusal_t *refusal)
{
    memset(input, 0, sizeof(*input));
    pl_refusal_init(refusal);
    if (pl_body_parse(body, len, &input->json, refusal) != 0)
        return -1;
    decode_profile(body, len, password_min, input, refusal);
    if (refusal->fields.count == 0 && !changes_something(&input->change)) {
        pl_body_wrong(
            refusal, "displayName",
            "or password, readReceipts, showPresence, groupInvites or metadata is required");
    }
    if (refusal->fields.count > 0) {
        pl_profile_input_dispose(input);
        return pl_refuse_fields(refusal);
    }
    return 0;
}

void pl_profile_input_dispose(pl_profile_input_t *input)
{
    wipe(input->change.password, input->change.password_len);
    wipe(input->change.current_password, input->change.current_password_len);
    pl_json_free(&input->json);
    pl_buffer_dispose(&input->metadata);
}

int pl_erasure_input_decode(const char *body, size_t len, pl_erasure_input_t *input,
                            pl_refusal_t *refusal)
{
    static const char *const keys[] = {"currentPassword", NULL};

    memset(input, 0, sizeof(*input));
    pl_refusal_init(refusal);
    if (len == 0)
        return 0;
    if (pl_body_parse(body, len, &input->json, refusal) != 0)
        return -1;
    pl_body_keys(input->json, keys, refusal);
    decode_password(input->json, "currentPassword", false, &input->current_password,
                    &input->current_password_len, refusal);
    if (refusal->fields.count > 0) {
        pl_erasure_input_dispose(input);
        return pl_refuse_fields(refusal);
    }
    return 0;
}

void pl_erasure_input_dispose(pl_erasure_input_t *input)
{
    wipe(input->current_password, input->current_password_len);
    pl_json_free(&input->json);
}
