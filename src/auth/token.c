#include "auth/token.h"

#include <inttypes.h>
#include <jwt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "auth/key.h"
#include "auth/token_cache.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/memory.h"

/* A token for more audiences is refused. */
#define AUDIENCES_MAX 32

struct pl_auth {
    pl_key_t *keys; /* the one that signs, our others, those of the issuers */
    size_t key_count;
    int64_t leeway_s;
    pl_token_cache_t *cache;
};

static int refuse(pl_error_t *err, const char *why)
{
    pl_error_set(err, PL_ERROR_INVALID, "%s", why);
    return -1;
}

/* A key that could not be loaded owns nothing, and counts. */
static int load_keys(pl_auth_t *auth, const pl_config_t *config, pl_error_t *err)
{
    auth->keys = pl_calloc(1 + config->jwt_key_count + config->issuer_count, sizeof(*auth->keys));
    int result = pl_key_load_secret(config->auth.jwt_key_file, config->auth.jwt_key_id,
                                    &auth->keys[auth->key_count++], err);
    for (size_t i = 0; result == 0 && i < config->jwt_key_count; i++) {
        const pl_config_jwt_key_t *key = &config->jwt_keys[i];
        result = pl_key_load_secret(key->file, key->name, &auth->keys[auth->key_count++], err);
    }
    for (size_t i = 0; result == 0 && i < config->issuer_count; i++)
        result = pl_key_load_public(&config->issuers[i], &auth->keys[auth->key_count++], err);
    return result;
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
    auth->cache = pl_token_cache_create();
    if (load_keys(auth, config, err) < 0) {
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

/* Other kinds of JWTs, for example logout tokens, may be signed with the same key. They name their
 * type (RFC 8725, 3.11); an access token is at+jwt (RFC 9068), JWT, or has no type. */
static int check_type(const pl_json_t *header, pl_error_t *err)
{
    static const char prefix[] = "application/";
    const char *type;
    size_t len;
    int found = pl_json_get_string(header, "typ", &type, &len);
    if (found == 0)
        return 0;
    if (found < 0)
        return refuse(err, "the token is malformed");
    if (strncasecmp(type, prefix, sizeof(prefix) - 1) == 0)
        type += sizeof(prefix) - 1;
    if (strcasecmp(type, "JWT") != 0 && strcasecmp(type, "at+jwt") != 0)
        return refuse(err, "the token's typ is not that of an access token");
    return 0;
}

/* What a token says of the key that has signed it. */
typedef struct signer {
    const char *algorithm;
    const char *issuer; /* NULL: none */
    const char *key_id; /* NULL: none */
} signer_t;

static int read_signer(const pl_json_t *header, const pl_json_t *payload, signer_t *signer_r,
                       pl_error_t *err)
{
    size_t len;
    *signer_r = (signer_t){.algorithm = NULL};
    if (pl_json_get_string(header, "alg", &signer_r->algorithm, &len) != 1 ||
        pl_json_get_string(header, "kid", &signer_r->key_id, &len) < 0 ||
        pl_json_get_string(payload, "iss", &signer_r->issuer, &len) < 0)
        return refuse(err, "the token is malformed");
    /* RFC 7515, 4.1.11: a token with an unknown critical extension must be refused. */
    if (pl_json_type_of(header, "crit") != PL_JSON_ABSENT)
        return refuse(err, "the token has a critical extension that is not supported");
    return check_type(header, err);
}

/* Returns true if the key may verify a token of this algorithm and issuer. Our own keys have no
 * issuer and may verify a token with any iss, or with none. */
static bool key_matches(const pl_key_t *key, const signer_t *signer)
{
    return strcmp(pl_key_algorithm_name(key->algorithm), signer->algorithm) == 0 &&
           (key->issuer == NULL ||
            (signer->issuer != NULL && strcmp(key->issuer, signer->issuer) == 0));
}

static bool has_id(const pl_key_t *key, const char *id)
{
    return key->id != NULL && strcmp(key->id, id) == 0;
}

/* The key that has signed the token; NULL: none has. If the token's kid is that of one of the keys,
 * no other key is tried. Any other kid is a name that we do not know, and all keys are tried. */
static const pl_key_t *find_key(const pl_auth_t *auth, const char *token, const signer_t *signer,
                                pl_error_t *err)
{
    bool is_known_id = false;
    bool has_match = false;
    for (size_t i = 0; signer->key_id != NULL && i < auth->key_count; i++)
        is_known_id = is_known_id || (key_matches(&auth->keys[i], signer) &&
                                      has_id(&auth->keys[i], signer->key_id));
    for (size_t i = 0; i < auth->key_count; i++) {
        const pl_key_t *key = &auth->keys[i];
        if (!key_matches(key, signer) || (is_known_id && !has_id(key, signer->key_id)))
            continue;
        has_match = true;
        if (pl_key_verifies(key, token))
            return key;
    }
    (void)!refuse(err, has_match ? "the token's signature is wrong"
                                 : "the token's issuer and algorithm are not accepted");
    return NULL;
}

/* aud is a string or an array of strings (RFC 7519, 4.1.3). */
static bool has_audience(const pl_json_t *payload, const char *audience)
{
    const char *texts[AUDIENCES_MAX];
    size_t count;
    if (pl_json_get_string(payload, "aud", &texts[0], &count) == 1)
        return strcmp(texts[0], audience) == 0;
    if (pl_json_get_strings(payload, "aud", texts, AUDIENCES_MAX, &count) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], audience) == 0)
            return true;
    return false;
}

/* What a token of an issuer must have besides. Elsewhere the scope admin may mean another thing: it
 * counts only if the configuration says so. */
static int check_issued(const pl_key_t *key, const pl_json_t *payload, pl_token_facts_t *facts,
                        pl_error_t *err)
{
    int64_t issued_s;
    if (!has_audience(payload, key->audience))
        return refuse(err, "the token's aud is another application");
    if (pl_json_get_int64(payload, "iat", &issued_s) != 1)
        return refuse(err, "the token has no integer iat");
    if (issued_s < 0 || facts->claims.expires_s < issued_s ||
        facts->claims.expires_s - issued_s > key->max_lifetime_s)
        return refuse(err, "the token's lifetime is longer than is accepted");
    facts->claims.admin = facts->claims.admin && key->allow_admin;
    if (facts->claims.user_id == 0 && !facts->claims.admin)
        return refuse(err, "the token's sub is not a user's id");
    return 0;
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

static int read_times(const pl_json_t *payload, pl_token_facts_t *facts, pl_error_t *err)
{
    pl_token_claims_t *claims = &facts->claims;
    claims->issued_s = facts->not_before_s = INT64_MIN;
    if (pl_json_get_int64(payload, "exp", &claims->expires_s) != 1)
        return refuse(err, "the token has no integer exp");
    if (pl_json_get_int64(payload, "nbf", &facts->not_before_s) < 0 ||
        pl_json_get_int64(payload, "iat", &claims->issued_s) < 0)
        return refuse(err, "the token's nbf or iat is not an integer");
    if (claims->issued_s > facts->not_before_s)
        facts->not_before_s = claims->issued_s;
    return 0;
}

/* Other issuers have claims of that name for sessions of their own. */
static void read_session(const pl_json_t *payload, pl_token_claims_t *claims)
{
    const char *text;
    size_t len;
    if (pl_json_get_string(payload, "sid", &text, &len) == 1 &&
        pl_id_parse(text, len, &claims->session_id) < 0)
        claims->session_id = 0;
}

static int read_claims(const pl_json_t *payload, pl_token_facts_t *facts, pl_error_t *err)
{
    const char *text;
    size_t len;
    if (read_times(payload, facts, err) < 0)
        return -1;
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
    /* libsodium's decoder takes some bytes above 127 for characters of the alphabet. */
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (token[strspn(token, alphabet)] != '\0')
        return refuse(err, "the token is malformed");
    const char *dot = strchr(token, '.');
    const char *second_dot = dot != NULL ? strchr(dot + 1, '.') : NULL;
    if (second_dot == NULL || second_dot[1] == '\0' || strchr(second_dot + 1, '.') != NULL)
        return refuse(err, "the token is malformed");
    pl_json_t *header = NULL;
    pl_json_t *payload = NULL;
    int result = -1;
    const pl_key_t *key = NULL;
    signer_t signer;
    memset(facts, 0, sizeof(*facts));
    if (parse_part(token, (size_t)(dot - token), &header, err) == 0 &&
        parse_part(dot + 1, (size_t)(second_dot - dot) - 1, &payload, err) == 0 &&
        read_signer(header, payload, &signer, err) == 0)
        key = find_key(auth, token, &signer, err);
    if (key != NULL)
        result = read_claims(payload, facts, err);
    if (result == 0 && key->issuer != NULL)
        result = check_issued(key, payload, facts, err);
    if (result == 0 && key->issuer == NULL)
        read_session(payload, &facts->claims);
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

char *pl_token_mint(pl_auth_t *auth, const pl_token_claims_t *claims)
{
    char subject[PL_ID_TEXT_SIZE], session[PL_ID_TEXT_SIZE];
    pl_id_format(subject, claims->user_id);
    pl_id_format(session, claims->session_id);
    const pl_key_t *key = &auth->keys[0];
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (jwt_new(&jwt) == 0 && (key->id == NULL || jwt_add_header(jwt, "kid", key->id) == 0) &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key->secret, (int)key->secret_len) ==
            0 &&
        jwt_add_grant(jwt, "sub", subject) == 0 && jwt_add_grant(jwt, "sid", session) == 0 &&
        jwt_add_grant_int(jwt, "iat", claims->issued_s) == 0 &&
        jwt_add_grant_int(jwt, "exp", claims->expires_s) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    if (token == NULL)
        abort(); /* out of memory; the key was checked when it was loaded */
    return token;
}
