#include "api/account_input.h"

#include <string.h>

#include "auth/password.h"

static void decode_username(pl_account_input_t *input, pl_refusal_t *refusal)
{
    const char *text;
    size_t len;

    if (pl_body_text(input->json, "username", true, &text, &len, refusal) &&
        pl_username_normalise(text, len, input->username) != 0) {
        pl_body_wrong(refusal, "username", "must be 3 to 64 of a-z 0-9 . _ -");
    }
}

static void decode_display_name(pl_account_input_t *input, pl_refusal_t *refusal)
{
    size_t length;

    if (!pl_body_text(input->json, "displayName", false, &input->display_name,
                      &input->display_name_len, refusal)) {
        return;
    }
    length = pl_utf8_length(input->display_name, input->display_name_len);
    if (length == 0 || length > PL_DISPLAY_NAME_MAX) {
        pl_body_wrong(refusal, "displayName", "must be 1 to %d characters", PL_DISPLAY_NAME_MAX);
    }
}

static void decode_password(pl_account_input_t *input, bool required, pl_refusal_t *refusal)
{
    if (pl_body_text(input->json, "password", required, &input->password, &input->password_len,
                     refusal) &&
        (input->password_len < PL_PASSWORD_MIN || input->password_len > PL_PASSWORD_MAX)) {
        pl_body_wrong(refusal, "password", "must be %d to %d bytes", PL_PASSWORD_MIN,
                      PL_PASSWORD_MAX);
    }
}

static int decode(const char *body, size_t len, bool is_login, pl_account_input_t *input,
                  pl_refusal_t *refusal)
{
    memset(input, 0, sizeof(*input));
    pl_refusal_init(refusal);
    if (pl_body_parse(body, len, &input->json, refusal) != 0) {
        return -1;
    }
    decode_username(input, refusal);
    if (!is_login) {
        decode_display_name(input, refusal);
    }
    decode_password(input, is_login, refusal);
    if (refusal->fields.count > 0) {
        pl_account_input_dispose(input);
        return pl_refuse_fields(refusal);
    }
    return 0;
}

int pl_account_input_decode(const char *body, size_t len, pl_account_input_t *input,
                            pl_refusal_t *refusal)
{
    return decode(body, len, false, input, refusal);
}

int pl_session_input_decode(const char *body, size_t len, pl_account_input_t *input,
                            pl_refusal_t *refusal)
{
    return decode(body, len, true, input, refusal);
}

void pl_account_input_dispose(pl_account_input_t *input)
{
    pl_json_free(&input->json);
}
