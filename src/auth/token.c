#include "auth/token.h"

#include <inttypes.h>
#include <jwt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/key.h"
#include "auth/token_cache.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/memory.h"

struct pl_auth {
    pl_key_t *keys; /* our own key is the first */
    size_t key_count;
    int64_t leeway_s;
    pl_token_cache_t *cache;
};

static int refuse(pl_error_t *err, const char *why)
{
    pl_error_set(err, PL_ERROR_INVALID, "%s", why);
    return -1;
}

int pl_auth_create(const pl_config_t *config, pl_auth_t **auth_r, pl_error_t *err)
{
    *auth_r = NULL;
    if (sodium_init() < 0) {
        pl_error_set(err, PL_ERROR_INTERNAL, "libsodium does not start");
        return -1;
    }
    pl_auth_t *auth = pl_calloc(1, sizeof(*auth));
    auth->leeway_s = config->auth.clock_leeway_s;
    auth->keys = pl_calloc(config->issuer_count + 1, sizeof(*auth->keys));
    auth->cache = pl_token_cache_create();
    int result = pl_key_load_secret(config->auth.jwt_key_file, &auth->keys[0], err);
    while (result == 0 && auth->key_count < config->issuer_count) {
        const pl_config_issuer_t *issuer = &config->issuers[auth->key_count++];
        result = pl_key_load_public(issuer->public_key_file, issuer->algorithm, issuer->issuer,
                                    &auth->keys[auth->key_count], err);
    }
    auth->key_count++;
    if (result < 0) {
        pl_auth_destroy(&auth);
        return -1;
    }
    *auth_r = auth;
    return 0;
}

void pl_auth_destroy(pl_auth_t **auth)
{
    if (*auth == NULL)
        return;
    for (size_t i = 0; i < (*auth)->key_count; i++)
        pl_key_dispose(&(*auth)->keys[i]);
    pl_token_cache_destroy(&(*auth)->cache);
    free((*auth)->keys);
    free(*auth);
    *auth = NULL;
}

/* Parses a part of the token: JSON as base64url without padding. */
static int parse_part(const char *part, size_t len, pl_json_t **json_r, pl_error_t *err)
{
    unsigned char text[PL_TOKEN_SIZE_MAX];
    size_t text_len;
    int result = -1;
    *json_r = NULL;
    if (sodium_base642bin(text, sizeof(text), part, len, NULL, &text_len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0)
        result = pl_json_parse((const char *)text, text_len, json_r, NULL);
    return result == 0 ? 0 : refuse(err, "the token is malformed");
}

/* Returns true if the key may verify a token with this algorithm and issuer. Our own key has no
 * issuer and may verify a token with any iss, or with none. */
static bool key_matches(const pl_key_t *key, const char *algorithm, const char *issuer)
{
    return strcmp(pl_key_algorithm_name(key->algorithm), algorithm) == 0 &&
           (key->issuer == NULL || (issuer != NULL && strcmp(key->issuer, issuer) == 0));
}

static int check_signature(const pl_auth_t *auth, const char *token, const pl_json_t *header,
                           const pl_json_t *payload, pl_error_t *err)
{
    const char *algorithm;
    const char *issuer = NULL;
    size_t len;
    if (pl_json_get_string(header, "alg", &algorithm, &len) != 1 ||
        pl_json_get_string(payload, "iss", &issuer, &len) < 0)
        return refuse(err, "the token is malformed");
    /* RFC 7515, 4.1.11: a token with an unknown critical extension must be refused. */
    if (pl_json_type_of(header, "crit") != PL_JSON_ABSENT)
        return refuse(err, "the token has a critical extension that is not supported");
    bool has_match = false;
    for (size_t i = 0; i < auth->key_count; i++) {
        if (key_matches(&auth->keys[i], algorithm, issuer)) {
            has_match = true;
            if (pl_key_verifies(&auth->keys[i], token))
                return 0;
        }
    }
    return refuse(err, has_match ? "the token's signature is wrong"
                                 : "the token's issuer and algorithm are not accepted");
}

static bool has_word(const char *words, const char *word)
{
    size_t word_len = strlen(word);
    while (*words != '\0') {
        size_t len = strcspn(words, " ");
        if (len == word_len && memcmp(words, word, len) == 0)
            return true;
        words += len;
        words += strspn(words, " ");
    }
    return false;
}

/* Reads nbf or iat; raises *not_before_s to it. */
static int read_start(const pl_json_t *payload, const char *claim, int64_t *not_before_s)
{
    int64_t value;
    int found = pl_json_get_int64(payload, claim, &value);
    if (found == 1 && value > *not_before_s)
        *not_before_s = value;
    return found < 0 ? -1 : 0;
}

static int read_claims(const pl_json_t *payload, pl_token_facts_t *facts, pl_error_t *err)
{
    const char *text;
    size_t len;
    memset(facts, 0, sizeof(*facts));
    facts->not_before_s = INT64_MIN;
    if (pl_json_get_int64(payload, "exp", &facts->claims.expires_s) != 1)
        return refuse(err, "the token has no integer exp");
    if (read_start(payload, "nbf", &facts->not_before_s) < 0 ||
        read_start(payload, "iat", &facts->not_before_s) < 0)
        return refuse(err, "the token's nbf or iat is not an integer");
    int found = pl_json_get_string(payload, "scope", &text, &len);
    if (found < 0)
        return refuse(err, "the token's scope is not a string");
    facts->claims.admin = found == 1 && has_word(text, "admin");
    found = pl_json_get_string(payload, "sub", &text, &len);
    if (found == 0 && facts->claims.admin)
        return 0;
    if (found != 1 || pl_id_parse(text, len, &facts->claims.user_id) < 0 ||
        pl_id_is_group(facts->claims.user_id))
        return refuse(err, "the token's sub is not a user's id");
    return 0;
}

/* Verifies everything but the times. token ends in a NUL. */
static int verify_uncached(const pl_auth_t *auth, const char *token, pl_token_facts_t *facts,
                           pl_error_t *err)
{
    const char *dot = strchr(token, '.');
    const char *second_dot = dot != NULL ? strchr(dot + 1, '.') : NULL;
    if (second_dot == NULL || second_dot[1] == '\0' || strchr(second_dot + 1, '.') != NULL)
        return refuse(err, "the token is malformed");
    pl_json_t *header = NULL;
    pl_json_t *payload = NULL;
    int result = -1;
    if (parse_part(token, (size_t)(dot - token), &header, err) == 0 &&
        parse_part(dot + 1, (size_t)(second_dot - dot) - 1, &payload, err) == 0 &&
        check_signature(auth, token, header, payload, err) == 0)
        result = read_claims(payload, facts, err);
    pl_json_free(&header);
    pl_json_free(&payload);
    return result;
}

static int check_times(const pl_auth_t *auth, const pl_token_facts_t *facts, int64_t now_s,
                       pl_error_t *err)
{
    if (now_s >= facts->claims.expires_s)
        return refuse(err, "the token has expired");
    if (facts->not_before_s > now_s + auth->leeway_s)
        return refuse(err, "the token is not valid yet");
    return 0;
}

int pl_token_verify_at(pl_auth_t *auth, const char *token, size_t len, int64_t now_s,
                       pl_token_claims_t *claims_r, pl_error_t *err)
{
    const pl_token_facts_t *known = pl_token_cache_find(auth->cache, token, len);
    pl_token_facts_t fresh;
    if (known == NULL) {
        char copy[PL_TOKEN_SIZE_MAX + 1];
        if (len == 0 || len > PL_TOKEN_SIZE_MAX || memchr(token, '\0', len) != NULL)
            return refuse(err, "the token is malformed");
        memcpy(copy, token, len);
        copy[len] = '\0';
        if (verify_uncached(auth, copy, &fresh, err) < 0)
            return -1;
    }
    const pl_token_facts_t *facts = known != NULL ? known : &fresh;
    if (check_times(auth, facts, now_s, err) < 0)
        return -1;
    *claims_r = facts->claims;
    if (known == NULL)
        pl_token_cache_insert(auth->cache, token, len, &fresh);
    return 0;
}

int pl_token_verify(pl_auth_t *auth, const char *token, size_t len, pl_token_claims_t *claims_r,
                    pl_error_t *err)
{
    return pl_token_verify_at(auth, token, len, (int64_t)time(NULL), claims_r, err);
}

char *pl_token_mint(pl_auth_t *auth, int64_t user_id, int64_t lifetime_s)
{
    char subject[PL_ID_TEXT_SIZE];
    pl_id_format(subject, user_id);
    int64_t now_s = (int64_t)time(NULL);
    const pl_key_t *key = &auth->keys[0];
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (jwt_new(&jwt) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key->data, (int)key->len) == 0 &&
        jwt_add_grant(jwt, "sub", subject) == 0 && jwt_add_grant_int(jwt, "iat", now_s) == 0 &&
        jwt_add_grant_int(jwt, "exp", now_s + lifetime_s) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    if (token == NULL)
        abort(); /* out of memory; the key was checked when it was loaded */
    return token;
}
