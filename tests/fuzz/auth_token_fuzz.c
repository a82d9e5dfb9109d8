/* Tokens. The input is used in two ways: as a token, which must never be accepted without the key;
 * and as header, newline and payload, which are signed with the key, so that the code after the
 * signature check runs too. */
#include <openssl/hmac.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/id.h"
#include "fuzz.h"

static const char secret[] = "the key of the fuzzing harness, no other";
#define NOW INT64_C(1800000000)

static pl_auth_t *create_auth(void)
{
    char path[] = "/tmp/parley-fuzz-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, secret, sizeof(secret) - 1) == (ssize_t)sizeof(secret) - 1);
    close(fd);
    pl_config_t config;
    REQUIRE(pl_config_parse("fuzz", "", 0, &config, NULL) == 0);
    free(config.auth.jwt_key_file);
    config.auth.jwt_key_file = strdup(path);
    pl_auth_t *auth;
    REQUIRE(pl_auth_create(&config, &auth, NULL) == 0);
    pl_config_free(&config);
    unlink(path);
    return auth;
}

static size_t append_base64(char *out, size_t at, size_t room, const void *data, size_t len)
{
    sodium_bin2base64(out + at, room - at, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return at + strlen(out + at);
}

/* Returns the token's length. */
static size_t sign(const char *text, size_t len, char *out, size_t room)
{
    const char *newline = len > 0 ? memchr(text, '\n', len) : NULL;
    size_t head_len = newline != NULL ? (size_t)(newline - text) : 0;
    const char *payload = newline != NULL ? newline + 1 : text;
    const char *header = newline != NULL ? text : "{\"alg\":\"HS256\"}";
    size_t at = append_base64(out, 0, room, header, newline != NULL ? head_len : strlen(header));
    out[at++] = '.';
    at = append_base64(out, at, room, payload, (size_t)(text + len - payload));
    unsigned char mac[32];
    REQUIRE(HMAC(EVP_sha256(), secret, (int)sizeof(secret) - 1, (unsigned char *)out, at, mac,
                 NULL) != NULL);
    out[at++] = '.';
    return append_base64(out, at, room, mac, sizeof(mac));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pl_auth_t *auth;
    static char token[32768];
    if (auth == NULL)
        auth = create_auth();
    pl_token_claims_t claims;
    REQUIRE(pl_token_verify_at(auth, (const char *)data, size, NOW, &claims, NULL) == -1);
    if (size > 16384)
        return 0;
    size_t len = sign((const char *)data, size, token, sizeof(token));
    if (pl_token_verify_at(auth, token, len, NOW, &claims, NULL) == 0) {
        REQUIRE(claims.expires_s > NOW);
        REQUIRE(claims.user_id > 0 || (claims.user_id == 0 && claims.admin));
        REQUIRE(!pl_id_is_group(claims.user_id));
    }
    return 0;
}
