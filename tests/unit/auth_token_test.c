/* Proves: a token is accepted exactly if a configured key signed it with the key's own algorithm
 * and its times are valid; its claims are read right; cached tokens are treated the same. */
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/token.h"
#include "auth/token_cache.h"
#include "base/id.h"
#include "base/memory.h"
#include "testing.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define OLD_SECRET "fedcba9876543210fedcba9876543210"
#define NOW INT64_C(1800000000)
#define GOOD "{\"sub\":\"4242\",\"exp\":1800000100}"
/* Claims of an issuer's token, and further ones. */
#define ISS_WITH(name, more) \
    "{\"sub\":\"4242\",\"iat\":1800000000,\"exp\":1800000100,\"iss\":\"" name "\"" more "}"
#define ISS(name) ISS_WITH(name, ",\"aud\":\"chat\"")

static struct {
    char directory[200];
    EVP_PKEY *rsa, *rsa_other, *ec, *ed;
    char *rsa_pem; /* the public key */
    pl_auth_t *auth;
} t;

static char *path_of(const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", t.directory, name) > 0);
    return path;
}

static void write_file(const char *name, const char *data, size_t len)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0640), 0);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
    free(path);
}

static char *public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    long len = BIO_get_mem_data(bio, &data);
    char *pem = pl_memdup(data, (size_t)len);
    BIO_free(bio);
    return pem;
}

static void write_public(const char *name, EVP_PKEY *key)
{
    char *pem = public_pem(key);
    write_file(name, pem, strlen(pem));
    free(pem);
}

static char *base64url(const void *data, size_t len)
{
    size_t size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = malloc(size);
    sodium_bin2base64(text, size, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return text;
}

static char *signing_input(const char *header, const char *payload)
{
    char *head = base64url(header, strlen(header));
    char *body = base64url(payload, strlen(payload));
    char *input = NULL;
    assert_true(asprintf(&input, "%s.%s", head, body) > 0);
    free(head);
    free(body);
    return input;
}

static char *with_signature(char *input, const void *signature, size_t len)
{
    char *text = base64url(signature, len);
    char *token = NULL;
    assert_true(asprintf(&token, "%s.%s", input, text) > 0);
    free(text);
    free(input);
    return token;
}

static char *hs256(const char *header, const char *payload, const char *secret, size_t secret_len)
{
    char *input = signing_input(header, payload);
    unsigned char mac[32];
    unsigned len = sizeof(mac);
    assert_non_null(HMAC(EVP_sha256(), secret, (int)secret_len, (unsigned char *)input,
                         strlen(input), mac, &len));
    return with_signature(input, mac, len);
}

static char *own(const char *payload)
{
    return hs256("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload, SECRET, strlen(SECRET));
}

/* An ECDSA signature comes in DER; JWS wants r and s, 32 bytes each. */
static size_t der_to_raw(unsigned char *signature, size_t len)
{
    const unsigned char *at = signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    assert_non_null(sig);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32);
    ECDSA_SIG_free(sig);
    return 64;
}

static char *signed_by(EVP_PKEY *key, const char *header, const char *payload)
{
    char *input = signing_input(header, payload);
    unsigned char signature[1024];
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    assert_int_equal(EVP_DigestSignInit(context, NULL, digest, NULL, key), 1);
    assert_int_equal(
        EVP_DigestSign(context, signature, &len, (unsigned char *)input, strlen(input)), 1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        len = der_to_raw(signature, len);
    return with_signature(input, signature, len);
}

static int verify(const char *token, size_t len, int64_t now_s, pl_token_claims_t *claims,
                  pl_error_t *err)
{
    char *copy = malloc(len > 0 ? len : 1); /* of the exact size, for AddressSanitizer */
    memcpy(copy, token, len);
    int result = pl_token_verify_at(t.auth, copy, len, now_s, claims, err);
    free(copy);
    return result;
}

/* Verifies twice, so that the cache is tested too. Frees the token. */
static void assert_accepted(char *token, int64_t user_id, bool admin)
{
    for (int i = 0; i < 2; i++) {
        pl_token_claims_t claims;
        pl_error_t err = {0};
        if (verify(token, strlen(token), NOW, &claims, &err) != 0)
            fail_msg("%s: %s", err.message, token);
        assert_int_equal(claims.user_id, user_id);
        assert_int_equal(claims.admin, admin);
        assert_int_equal(claims.expires_s, 1800000100);
    }
    free(token);
}

/* Frees the token, too. */
static void assert_refused(char *token, const char *message)
{
    for (int i = 0; i < 2; i++) {
        pl_token_claims_t claims;
        pl_error_t err = {0};
        if (verify(token, strlen(token), NOW, &claims, &err) != -1)
            fail_msg("accepted: %s", token);
        assert_int_equal(err.code, PL_ERROR_INVALID);
        assert_string_equal(err.message, message);
    }
    free(token);
}

#define MALFORMED "the token is malformed"
#define WRONG_SIGNATURE "the token's signature is wrong"
#define NOT_ACCEPTED "the token's issuer and algorithm are not accepted"

static void test_own_tokens(void **state)
{
    (void)state;
    assert_accepted(own(GOOD), 4242, false);
    assert_accepted(own("{\"sub\":\"4242\",\"exp\":1800000100,\"iss\":\"anyone\",\"x\":[1]}"), 4242,
                    false);
    assert_accepted(own("{\"sub\":\"4242\",\"exp\":1800000100,\"scope\":\"admin\"}"), 4242, true);
    assert_accepted(own("{\"sub\":\"4242\",\"exp\":1800000100,\"scope\":\"read admin write\"}"),
                    4242, true);
    assert_accepted(own("{\"sub\":\"4242\",\"exp\":1800000100,\"scope\":\"administrator admins\"}"),
                    4242, false);
    assert_accepted(own("{\"sub\":\"4242\",\"exp\":1800000100,\"scope\":\"\"}"), 4242, false);
    assert_accepted(own("{\"exp\":1800000100,\"scope\":\"admin\"}"), 0, true);
    assert_accepted(hs256("{\"alg\":\"HS256\"}", GOOD, SECRET, strlen(SECRET)), 4242, false);
}

static void test_issuers(void **state)
{
    (void)state;
    assert_accepted(
        signed_by(t.rsa, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"1\"}", ISS("rsa")), 4242,
        false);
    assert_accepted(signed_by(t.rsa_other, "{\"alg\":\"RS256\"}", ISS("rsa")), 4242,
                    false); /* two keys */
    assert_accepted(signed_by(t.ec, "{\"alg\":\"ES256\"}", ISS("ec")), 4242, false);
    assert_accepted(signed_by(t.ed, "{\"alg\":\"EdDSA\"}", ISS("ed")), 4242, false);

    /* the key of another issuer, the name of another issuer, no name */
    assert_refused(signed_by(t.rsa_other, "{\"alg\":\"RS256\"}", ISS("rsa2")), WRONG_SIGNATURE);
    assert_refused(signed_by(t.rsa, "{\"alg\":\"RS256\"}", ISS("ec")), NOT_ACCEPTED);
    assert_refused(signed_by(t.rsa, "{\"alg\":\"RS256\"}", ISS("RSA")), NOT_ACCEPTED);
    assert_refused(signed_by(t.rsa, "{\"alg\":\"RS256\"}", GOOD), NOT_ACCEPTED);
    assert_refused(signed_by(t.ed, "{\"alg\":\"EdDSA\"}", ISS("rsa")), NOT_ACCEPTED);
    assert_refused(signed_by(t.rsa, "{\"alg\":\"RS256\"}",
                             "{\"sub\":\"1\",\"exp\":1800000100,\"iss\":[\"rsa\"]}"),
                   MALFORMED);
}

#define RS256 "{\"alg\":\"RS256\"}"

/* What an issuer's token must have besides a signature. */
static void test_issuers_claims(void **state)
{
    (void)state;
    static const char *const accepted[] = {",\"aud\":\"chat\"", ",\"aud\":[\"chat\"]",
                                           ",\"aud\":[\"other\",\"chat\"]"};
    static const char *const refused[] = {"",
                                          ",\"aud\":\"other\"",
                                          ",\"aud\":\"chat2\"",
                                          ",\"aud\":[]",
                                          ",\"aud\":[\"other\",\"CHAT\"]",
                                          ",\"aud\":{\"chat\":\"chat\"}",
                                          ",\"aud\":[1]"};
    char payload[300];
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        snprintf(payload, sizeof(payload), ISS_WITH("rsa", "%s"), accepted[i]);
        assert_accepted(signed_by(t.rsa, RS256, payload), 4242, false);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(payload, sizeof(payload), ISS_WITH("rsa", "%s"), refused[i]);
        assert_refused(signed_by(t.rsa, RS256, payload), "the token's aud is another application");
    }
    /* The scope admin counts only for the issuer that may name admins. */
    assert_accepted(
        signed_by(t.rsa, RS256, ISS_WITH("rsa", ",\"aud\":\"chat\",\"scope\":\"openid admin\"")),
        4242, false);
    assert_accepted(
        signed_by(t.rsa, RS256, ISS_WITH("rsa2", ",\"aud\":\"chat\",\"scope\":\"openid admin\"")),
        4242, true);
    assert_refused(signed_by(t.rsa, RS256,
                             "{\"iat\":1800000000,\"exp\":1800000100,\"iss\":\"rsa\","
                             "\"aud\":\"chat\",\"scope\":\"admin\"}"),
                   "the token's sub is not a user's id");
    /* The lifetime of rsa's tokens is at most an hour. */
    assert_accepted(signed_by(t.rsa, RS256,
                              "{\"sub\":\"4242\",\"iat\":1799996500,\"exp\":1800000100,"
                              "\"iss\":\"rsa\",\"aud\":\"chat\"}"),
                    4242, false);
    assert_refused(signed_by(t.rsa, RS256,
                             "{\"sub\":\"4242\",\"iat\":1799996499,\"exp\":1800000100,"
                             "\"iss\":\"rsa\",\"aud\":\"chat\"}"),
                   "the token's lifetime is longer than is accepted");
    assert_refused(signed_by(t.rsa, RS256,
                             "{\"sub\":\"4242\",\"iat\":-9007199254740991,"
                             "\"exp\":1800000100,\"iss\":\"rsa\",\"aud\":\"chat\"}"),
                   "the token's lifetime is longer than is accepted");
    assert_refused(signed_by(t.rsa, RS256,
                             "{\"sub\":\"4242\",\"exp\":1800000100,\"iss\":\"rsa\","
                             "\"aud\":\"chat\"}"),
                   "the token has no integer iat");
}

static void test_types(void **state)
{
    (void)state;
    static const char *const accepted[] = {"JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"};
    static const char *const refused[] = {"", "logout+jwt", "JWT ", "application/", "dpop+jwt"};
    char header[100];
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"typ\":\"%s\"}", accepted[i]);
        assert_accepted(hs256(header, GOOD, SECRET, strlen(SECRET)), 4242, false);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"typ\":\"%s\"}", refused[i]);
        assert_refused(hs256(header, GOOD, SECRET, strlen(SECRET)),
                       "the token's typ is not that of an access token");
    }
    assert_refused(hs256("{\"alg\":\"HS256\",\"typ\":1}", GOOD, SECRET, strlen(SECRET)), MALFORMED);
}

/* A kid of ours chooses the key; without one, or with another name, every key is tried. */
static void test_key_ids(void **state)
{
    (void)state;
    static const struct {
        const char *header, *secret;
        bool is_accepted;
    } tokens[] = {
        {"{\"alg\":\"HS256\",\"kid\":\"new\"}", SECRET, true},
        {"{\"alg\":\"HS256\",\"kid\":\"old\"}", OLD_SECRET, true},
        {"{\"alg\":\"HS256\"}", SECRET, true},
        {"{\"alg\":\"HS256\"}", OLD_SECRET, true},
        {"{\"alg\":\"HS256\",\"kid\":\"theirs\"}", OLD_SECRET, true},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", OLD_SECRET, true},
        {"{\"alg\":\"HS256\",\"kid\":\"new\"}", OLD_SECRET, false},
        {"{\"alg\":\"HS256\",\"kid\":\"old\"}", SECRET, false},
    };
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        char *token = hs256(tokens[i].header, GOOD, tokens[i].secret, strlen(tokens[i].secret));
        if (tokens[i].is_accepted)
            assert_accepted(token, 4242, false);
        else
            assert_refused(token, WRONG_SIGNATURE);
    }
    assert_refused(hs256("{\"alg\":\"HS256\",\"kid\":1}", GOOD, SECRET, strlen(SECRET)), MALFORMED);
}

static void test_algorithm_confusion(void **state)
{
    (void)state;
    static const char *const names[] = {"none",  "None",  "NONE",  "nOnE",   "",
                                        "HS384", "HS512", "RS384", "RS512",  "ES384",
                                        "ES512", "PS256", "hs256", "HS256 ", "dir"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
        assert_refused(hs256(header, GOOD, SECRET, strlen(SECRET)), NOT_ACCEPTED);
        assert_refused(with_signature(signing_input(header, GOOD), "", 0), MALFORMED);
        assert_refused(with_signature(signing_input(header, ISS("rsa")), "x", 1), NOT_ACCEPTED);
    }
    /* no alg, alg of another type, alg twice */
    assert_refused(hs256("{\"typ\":\"JWT\"}", GOOD, SECRET, strlen(SECRET)), MALFORMED);
    assert_refused(hs256("{\"alg\":null}", GOOD, SECRET, strlen(SECRET)), MALFORMED);
    assert_refused(hs256("{\"alg\":[\"HS256\"]}", GOOD, SECRET, strlen(SECRET)), MALFORMED);
    assert_refused(hs256("{\"alg\":\"HS256\",\"alg\":\"none\"}", GOOD, SECRET, strlen(SECRET)),
                   MALFORMED);

    /* the public key as an HMAC secret, with and without its last newline */
    size_t len = strlen(t.rsa_pem);
    assert_refused(hs256("{\"alg\":\"HS256\"}", ISS("rsa"), t.rsa_pem, len), WRONG_SIGNATURE);
    assert_refused(hs256("{\"alg\":\"HS256\"}", ISS("rsa"), t.rsa_pem, len - 1), WRONG_SIGNATURE);
    assert_refused(hs256("{\"alg\":\"RS256\"}", ISS("rsa"), t.rsa_pem, len), WRONG_SIGNATURE);
    /* our secret with the algorithm of an issuer */
    assert_refused(hs256("{\"alg\":\"EdDSA\"}", ISS("ed"), SECRET, strlen(SECRET)),
                   WRONG_SIGNATURE);
    assert_refused(hs256("{\"alg\":\"ES256\"}", ISS("ec"), SECRET, strlen(SECRET)),
                   WRONG_SIGNATURE);
    /* a critical extension */
    assert_refused(
        hs256("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", GOOD, SECRET, strlen(SECRET)),
        "the token has a critical extension that is not supported");
}

static void test_wrong_keys(void **state)
{
    (void)state;
    static const char header[] = "{\"alg\":\"HS256\"}";
    assert_refused(hs256(header, GOOD, "x0123456789abcdef0123456789abcdef", 33), WRONG_SIGNATURE);
    assert_refused(hs256(header, GOOD, "", 0), WRONG_SIGNATURE);
    assert_refused(hs256(header, GOOD, SECRET "\n", strlen(SECRET) + 1), WRONG_SIGNATURE);
    assert_refused(hs256(header, GOOD, SECRET, strlen(SECRET) - 1), WRONG_SIGNATURE);
}

/* A change of any character makes a token invalid. */
static void test_tampering(void **state)
{
    (void)state;
    char *token = own(GOOD);
    size_t len = strlen(token);
    pl_token_claims_t claims;
    assert_int_equal(verify(token, len, NOW, &claims, NULL), 0);
    for (size_t i = 0; i < len; i++) {
        char kept = token[i];
        static const char others[] = {'A', 'B', '.', '=', '+', '/', ' ', '\n', '\0', '\x80'};
        for (size_t k = 0; k < sizeof(others); k++) {
            if (others[k] != kept) {
                token[i] = others[k];
                if (verify(token, len, NOW, &claims, NULL) != -1)
                    fail_msg("accepted with another character at %zu of %zu: %s", i, len, token);
            }
        }
        token[i] = kept;
        assert_int_equal(verify(token, i, NOW, &claims, NULL), -1); /* cut at this character */
    }
    assert_int_equal(verify(token, len, NOW, &claims, NULL), 0);
    free(token);
}

static void test_signature_stripped(void **state)
{
    (void)state;
    char *input = signing_input("{\"alg\":\"HS256\"}", GOOD);
    assert_refused(pl_strdup(input), MALFORMED);
    char *token = NULL;
    assert_true(asprintf(&token, "%s.", input) > 0);
    assert_refused(token, MALFORMED);
    assert_true(asprintf(&token, "%s.AAAA", input) > 0);
    assert_refused(token, WRONG_SIGNATURE);
    assert_true(asprintf(&token, "%s.AAAA.AAAA", input) > 0);
    assert_refused(token, MALFORMED);
    free(input);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "...",
                                      "a",
                                      "a.b",
                                      "a.b.c",
                                      "Bearer x",
                                      "e30.e30.e30",
                                      "{}.{}.{}",
                                      "eyJhbGciOiJIUzI1NiJ9..c2ln",
                                      ".e30.c2ln"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(pl_strdup(bad[i]), MALFORMED);
    assert_refused(own("not json"), MALFORMED);
    assert_refused(own("[]"), MALFORMED);
    assert_refused(own("{\"sub\":\"1\",\"sub\":\"2\",\"exp\":1800000100}"), MALFORMED);
    assert_refused(own("{\"sub\":\"1\\u0000\",\"exp\":1800000100}"), MALFORMED);
}

static void test_claims(void **state)
{
    (void)state;
    static const char no_sub[] = "the token's sub is not a user's id";
    static const char no_exp[] = "the token has no integer exp";
    static const char *const bad_subs[] = {"1.0",
                                           "\"\"",
                                           "\"0\"",
                                           "\"-1\"",
                                           "\"01\"",
                                           "\"alice\"",
                                           "null",
                                           "42",
                                           "\"9223372036854775808\"",
                                           "\"256\"" /* a group */,
                                           "[\"1\"]"};
    for (size_t i = 0; i < sizeof(bad_subs) / sizeof(bad_subs[0]); i++) {
        char payload[200];
        snprintf(payload, sizeof(payload), "{\"sub\":%s,\"exp\":1800000100}", bad_subs[i]);
        assert_refused(own(payload), no_sub);
        snprintf(payload, sizeof(payload), "{\"sub\":%s,\"exp\":1800000100,\"scope\":\"admin\"}",
                 bad_subs[i]);
        assert_refused(own(payload), no_sub);
    }
    assert_refused(own("{\"exp\":1800000100}"), no_sub);
    assert_refused(own("{\"sub\":\"1\"}"), no_exp);
    assert_refused(own("{\"sub\":\"1\",\"exp\":\"1800000100\"}"), no_exp);
    assert_refused(own("{\"sub\":\"1\",\"exp\":null}"), no_exp);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1e300}"), no_exp);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1e999}"), no_exp);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100.5}"), no_exp);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100,\"nbf\":\"0\"}"),
                   "the token's nbf or iat is not an integer");
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100,\"iat\":true}"),
                   "the token's nbf or iat is not an integer");
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100,\"scope\":[\"admin\"]}"),
                   "the token's scope is not a string");
}

static void test_times(void **state)
{
    (void)state;
    static const char expired[] = "the token has expired";
    static const char early[] = "the token is not valid yet";
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000000}"), expired);
    assert_refused(own("{\"sub\":\"1\",\"exp\":0}"), expired);
    assert_refused(own("{\"sub\":\"1\",\"exp\":-1}"), expired);
    assert_accepted(own("{\"sub\":\"1\",\"exp\":1800000100,\"nbf\":1800000030}"), 1,
                    false); /* leeway 30 */
    assert_accepted(own("{\"sub\":\"1\",\"exp\":1800000100,\"iat\":1800000030}"), 1, false);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100,\"nbf\":1800000031}"), early);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100,\"iat\":1800000031}"), early);
    assert_refused(own("{\"sub\":\"1\",\"exp\":1800000100,\"iat\":5,\"nbf\":9007199254740991}"),
                   early);
}

/* The times of a cached token are still checked. */
static void test_cached_token_expires(void **state)
{
    (void)state;
    char *token = own("{\"sub\":\"77\",\"exp\":1800000100,\"nbf\":1799999900}");
    size_t len = strlen(token);
    pl_token_claims_t claims;
    pl_error_t err;
    assert_int_equal(verify(token, len, NOW, &claims, &err), 0);
    assert_int_equal(verify(token, len, 1800000099, &claims, &err), 0);
    assert_int_equal(verify(token, len, 1800000100, &claims, &err), -1);
    assert_string_equal(err.message, "the token has expired");
    assert_int_equal(verify(token, len, 1799999869, &claims, &err),
                     -1); /* the clock stepped back */
    assert_string_equal(err.message, "the token is not valid yet");
    assert_int_equal(verify(token, len, 1799999870, &claims, &err), 0);
    free(token);
}

static void test_sizes(void **state)
{
    (void)state;
    /* around the limit of the cache and the limit of a token, and far beyond */
    static const size_t sizes[] = {1400, 1500, 1600, 5900, 6000, 6050, 6100, 6200, 100000, 1000000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *payload = malloc(sizes[i] + 100);
        int at = sprintf(payload, "{\"sub\":\"4242\",\"exp\":1800000100,\"x\":\"");
        memset(payload + at, 'x', sizes[i]);
        strcpy(payload + at + sizes[i], "\"}");
        char *token = own(payload);
        if (strlen(token) <= PL_TOKEN_SIZE_MAX)
            assert_accepted(token, 4242, false);
        else
            assert_refused(token, MALFORMED);
        free(payload);
    }
}

/* With more tokens than the cache can hold, each still has the right claims. */
static void test_cache_is_bounded_and_exact(void **state)
{
    (void)state;
    pl_token_cache_t *cache = pl_token_cache_create();
    char token[64];
    size_t kept = 0;
    int count = 3 * PL_TOKEN_CACHE_ENTRIES;
    for (int i = 0; i < count; i++) {
        size_t len = (size_t)snprintf(token, sizeof(token), "token-%d", i);
        assert_null(pl_token_cache_find(cache, token, len));
        pl_token_facts_t facts = {.claims.user_id = i + 1};
        pl_token_cache_insert(cache, token, len, &facts);
        const pl_token_facts_t *found = pl_token_cache_find(cache, token, len);
        assert_non_null(found);
        assert_int_equal(found->claims.user_id, i + 1);
        assert_ptr_not_equal(pl_token_cache_find(cache, token, len - 1), found);
    }
    for (int i = 0; i < count; i++) {
        size_t len = (size_t)snprintf(token, sizeof(token), "token-%d", i);
        const pl_token_facts_t *found = pl_token_cache_find(cache, token, len);
        kept += found != NULL;
        assert_true(found == NULL || found->claims.user_id == i + 1);
    }
    assert_true(kept <= PL_TOKEN_CACHE_ENTRIES);
    assert_true(kept > PL_TOKEN_CACHE_ENTRIES / 2);
    char longest[PL_TOKEN_CACHE_LEN_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    pl_token_facts_t facts = {.claims.user_id = 1};
    pl_token_cache_insert(cache, longest, sizeof(longest), &facts);
    assert_null(pl_token_cache_find(cache, longest, sizeof(longest)));
    pl_token_cache_destroy(&cache);
    assert_null(cache);
    pl_token_cache_destroy(&cache);
}

static void test_mint(void **state)
{
    (void)state;
    int64_t user_id = pl_id_next(8191, PL_ID_USER);
    pl_token_claims_t claims;
    pl_error_t err = {0};
    int64_t issued_s = (int64_t)time(NULL);
    int64_t expires_s = issued_s + 60;
    char *token = pl_token_mint(t.auth, &(pl_token_claims_t){
                                            .user_id = user_id,
                                            .session_id = 1795291200183413,
                                            .issued_s = issued_s,
                                            .expires_s = expires_s,
                                        });
    assert_int_equal(pl_token_verify(t.auth, token, strlen(token), &claims, &err), 0);
    assert_int_equal(claims.user_id, user_id);
    assert_int_equal(claims.session_id, 1795291200183413);
    assert_int_equal(claims.issued_s, issued_s);
    assert_int_equal(claims.expires_s, expires_s);
    assert_false(claims.admin);
    assert_int_equal(verify(token, strlen(token), expires_s - 1, &claims, &err), 0);
    assert_int_equal(verify(token, strlen(token), expires_s, &claims, &err), -1);
    const char *dot = strchr(token, '.');
    char *header = base64url("{\"alg\":\"HS256\",\"kid\":\"new\",\"typ\":\"JWT\"}", 39);
    assert_int_equal((size_t)(dot - token), strlen(header));
    assert_memory_equal(token, header, strlen(header));
    free(header);
    free(token);
}

static int create(const char *secret_file, const char *algorithm, const char *key_file,
                  pl_error_t *err)
{
    pl_config_t config;
    char *text = NULL;
    assert_true(asprintf(&text,
                         "[auth]\njwt_key_file=%s/%s\n[issuer "
                         "x]\nissuer=x\naudience=x\nalgorithm=%s\npublic_key_file=%s/%s\n",
                         t.directory, secret_file, algorithm, t.directory, key_file) > 0);
    assert_int_equal(pl_config_parse("t", text, strlen(text), &config, NULL), 0);
    pl_auth_t *auth;
    int result = pl_auth_create(&config, &auth, err);
    assert_true((result == 0) == (auth != NULL));
    pl_auth_destroy(&auth);
    pl_config_free(&config);
    free(text);
    return result;
}

static void test_key_files(void **state)
{
    (void)state;
    pl_error_t err;
    EVP_PKEY *small = EVP_RSA_gen(1024);
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    write_public("small.pem", small);
    write_public("p384.pem", p384);
    EVP_PKEY_free(small);
    EVP_PKEY_free(p384);
    write_file("short.key", "0123456789abcdef0123456789abcde\n\n", 33);
    write_file("empty.key", "", 0);
    char *large = calloc(1, 100000);
    write_file("large.key", large, 100000);
    free(large);

    assert_int_equal(create("jwt.key", "RS256", "rsa.pem", &err), 0);
    assert_int_equal(create("jwt.key", "ES256", "ec.pem", &err), 0);
    assert_int_equal(create("jwt.key", "EdDSA", "ed.pem", &err), 0);

    assert_int_equal(create("short.key", "RS256", "rsa.pem", &err), -1);
    assert_non_null(strstr(err.message, "short.key: an HS256 key needs 32 bytes or more"));
    assert_int_equal(create("empty.key", "RS256", "rsa.pem", &err), -1);
    assert_int_equal(create("large.key", "RS256", "rsa.pem", &err), -1);
    assert_int_equal(create("absent.key", "RS256", "rsa.pem", &err), -1);
    assert_non_null(strstr(err.message, "absent.key: No such file"));

    /* A key that every user of the machine can read. */
    char *path = path_of("short.key");
    write_file("short.key", SECRET, strlen(SECRET));
    assert_int_equal(create("short.key", "RS256", "rsa.pem", &err), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(create("short.key", "RS256", "rsa.pem", &err), -1);
    assert_non_null(strstr(err.message, "short.key: every user of this machine can read"));
    free(path);
    assert_int_equal(create("jwt.key", "RS256", "rsa.pem", &err), 0);

    static const struct {
        const char *algorithm, *file;
    } misfits[] = {{"RS256", "ec.pem"},    {"RS256", "ed.pem"},    {"ES256", "rsa.pem"},
                   {"EdDSA", "rsa.pem"},   {"EdDSA", "ec.pem"},    {"RS256", "small.pem"},
                   {"ES256", "p384.pem"},  {"RS256", "jwt.key"},   {"RS256", "empty.key"},
                   {"RS256", "large.key"}, {"RS256", "absent.pem"}};
    for (size_t i = 0; i < sizeof(misfits) / sizeof(misfits[0]); i++) {
        assert_int_equal(create("jwt.key", misfits[i].algorithm, misfits[i].file, &err), -1);
        assert_int_equal(err.code, PL_ERROR_INVALID);
        assert_non_null(strstr(err.message, misfits[i].file));
    }
}

static void create_auth(void)
{
    pl_config_t config;
    pl_error_t err = {0};
    char *text = NULL;
    const char *d = t.directory;
    assert_true(
        asprintf(
            &text,
            "[auth]\njwt_key_file=%s/jwt.key\njwt_key_id=new\n"
            "[jwt_key old]\nfile=%s/old.key\n"
            "[issuer "
            "a]\nissuer=rsa\naudience=chat\nmax_lifetime=3600\nalgorithm=RS256\npublic_key_file=%s/"
            "rsa.pem\n"
            "[issuer "
            "b]\nissuer=rsa\naudience=chat\nmax_lifetime=3600\nalgorithm=RS256\npublic_key_file=%s/"
            "rsa_other.pem\n"
            "[issuer "
            "c]\nissuer=rsa2\naudience=chat\nallow_admin=true\nalgorithm=RS256\npublic_key_file=%s/"
            "rsa.pem\n"
            "[issuer d]\nissuer=ec\naudience=chat\nalgorithm=ES256\npublic_key_file=%s/ec.pem\n"
            "[issuer e]\nissuer=ed\naudience=chat\nalgorithm=EdDSA\npublic_key_file=%s/ed.pem\n",
            d, d, d, d, d, d, d) > 0);
    assert_int_equal(pl_config_parse("t", text, strlen(text), &config, &err), 0);
    if (pl_auth_create(&config, &t.auth, &err) != 0)
        fail_msg("%s", err.message);
    pl_config_free(&config);
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(t.directory, sizeof(t.directory), "%s/auth_token_XXXXXX", PL_TEST_SCRATCH_DIR);
    if (sodium_init() < 0 || mkdtemp(t.directory) == NULL)
        return -1;
    t.rsa = EVP_RSA_gen(2048);
    t.rsa_other = EVP_RSA_gen(2048);
    t.ec = EVP_EC_gen("P-256");
    t.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    t.rsa_pem = public_pem(t.rsa);
    write_public("rsa.pem", t.rsa);
    write_public("rsa_other.pem", t.rsa_other);
    write_public("ec.pem", t.ec);
    write_public("ed.pem", t.ed);
    write_file("jwt.key", SECRET " \r\n", strlen(SECRET) + 3);
    write_file("old.key", OLD_SECRET, strlen(OLD_SECRET));
    create_auth();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = {"rsa.pem",   "rsa_other.pem", "ec.pem",   "ed.pem",
                                        "jwt.key",   "small.pem",     "p384.pem", "short.key",
                                        "empty.key", "large.key",     "old.key"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *path = path_of(files[i]);
        unlink(path);
        free(path);
    }
    rmdir(t.directory);
    pl_auth_destroy(&t.auth);
    EVP_PKEY_free(t.rsa);
    EVP_PKEY_free(t.rsa_other);
    EVP_PKEY_free(t.ec);
    EVP_PKEY_free(t.ed);
    free(t.rsa_pem);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_tokens),
        cmocka_unit_test(test_issuers),
        cmocka_unit_test(test_issuers_claims),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_key_ids),
        cmocka_unit_test(test_algorithm_confusion),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_signature_stripped),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_cached_token_expires),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_cache_is_bounded_and_exact),
        cmocka_unit_test(test_mint),
        cmocka_unit_test(test_key_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
