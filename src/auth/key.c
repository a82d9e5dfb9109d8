#include "auth/key.h"

#include <ctype.h>
#include <errno.h>
#include <jwt.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define KEY_FILE_MAX 65536
/* In bits. NIST SP 800-131A disallows smaller RSA keys. */
#define RSA_BITS_MIN 2048

const char *pl_key_algorithm_name(enum pl_key_algorithm algorithm)
{
    switch (algorithm) {
    case PL_KEY_HS256:
        return "HS256";
    case PL_KEY_RS256:
        return "RS256";
    case PL_KEY_ES256:
        return "ES256";
    case PL_KEY_EDDSA:
        return "EdDSA";
    }
    return "";
}

/* Returns the whole file with a NUL after it, which the caller frees; or NULL with *err. */
static char *read_file(const char *path, size_t *len_r, pl_error_t *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *data = pl_malloc(KEY_FILE_MAX + 1);
    setvbuf(file, NULL, _IONBF,
            0); /* stdio must not leave a copy of the secret in a buffer that it frees */
    size_t len = fread(data, 1, KEY_FILE_MAX, file);
    bool failed = ferror(file) != 0 || len == KEY_FILE_MAX;
    if (failed) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: %s", path,
                     ferror(file) != 0 ? strerror(errno) : "too large for a key");
        sodium_memzero(data, len);
        free(data);
        data = NULL;
    } else {
        data[len] = '\0';
        *len_r = len;
    }
    fclose(file);
    return data;
}

int pl_key_load_secret(const char *path, pl_key_t *key, pl_error_t *err)
{
    memset(key, 0, sizeof(*key));
    size_t len;
    char *data = read_file(path, &len, err);
    if (data == NULL)
        return -1;
    while (len > 0 && isspace((unsigned char)data[len - 1]))
        data[--len] = '\0';
    key->algorithm = PL_KEY_HS256;
    key->data = data;
    key->len = len;
    if (len < PL_KEY_SECRET_MIN) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: an HS256 key needs %d bytes or more", path,
                     PL_KEY_SECRET_MIN);
        pl_key_dispose(key);
        return -1;
    }
    return 0;
}

static bool is_p256(EVP_PKEY *pkey)
{
    char group[64];
    size_t len;
    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
           (strcmp(group, SN_X9_62_prime256v1) == 0 || strcmp(group, "P-256") == 0);
}

static bool fits(const pl_key_t *key, EVP_PKEY *pkey)
{
    switch (key->algorithm) {
    case PL_KEY_RS256:
        return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA &&
               EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN;
    case PL_KEY_ES256:
        return is_p256(pkey);
    case PL_KEY_EDDSA:
        return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519;
    case PL_KEY_HS256:
        break;
    }
    return false;
}

/* Returns true if key->data is the PEM of a public key for key->algorithm. Sets key->ed25519 if
 * that is the algorithm. */
static bool parse_public(pl_key_t *key)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
    EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    bool ok = pkey != NULL && fits(key, pkey);
    if (ok && key->algorithm == PL_KEY_EDDSA) {
        size_t len = sizeof(key->ed25519);
        ok = EVP_PKEY_get_raw_public_key(pkey, key->ed25519, &len) == 1 &&
             len == sizeof(key->ed25519);
    }
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return ok;
}

int pl_key_load_public(const char *path, const char *algorithm, const char *issuer, pl_key_t *key,
                       pl_error_t *err)
{
    memset(key, 0, sizeof(*key));
    for (enum pl_key_algorithm a = PL_KEY_RS256; a <= PL_KEY_EDDSA; a++)
        if (strcmp(algorithm, pl_key_algorithm_name(a)) == 0)
            key->algorithm = a;
    if (key->algorithm == PL_KEY_HS256) {
        pl_error_set(err, PL_ERROR_INVALID, "%s is not an algorithm for an issuer", algorithm);
        return -1;
    }
    key->data = read_file(path, &key->len, err);
    if (key->data == NULL)
        return -1;
    if (!parse_public(key)) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: not a PEM public key for %s", path, algorithm);
        pl_key_dispose(key);
        return -1;
    }
    key->issuer = pl_strdup(issuer);
    return 0;
}

static bool verify_ed25519(const pl_key_t *key, const char *token)
{
    const char *dot = strrchr(token, '.');
    unsigned char signature[crypto_sign_BYTES];
    size_t len;
    if (dot == NULL ||
        sodium_base642bin(signature, sizeof(signature), dot + 1, strlen(dot + 1), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    return len == sizeof(signature) &&
           crypto_sign_verify_detached(signature, (const unsigned char *)token,
                                       (unsigned long long)(dot - token), key->ed25519) == 0;
}

bool pl_key_verifies(const pl_key_t *key, const char *token)
{
    if (key->algorithm == PL_KEY_EDDSA)
        return verify_ed25519(key, token);
    jwt_t *jwt = NULL;
    if (key->len > INT_MAX ||
        jwt_decode(&jwt, token, (const unsigned char *)key->data, (int)key->len) != 0)
        return false;
    /* libjwt takes the algorithm from the token's header. It must be the configured one. */
    bool ok = jwt_get_alg(jwt) == jwt_str_alg(pl_key_algorithm_name(key->algorithm));
    jwt_free(jwt);
    return ok;
}

void pl_key_dispose(pl_key_t *key)
{
    if (key->data != NULL)
        sodium_memzero(key->data, key->len);
    free(key->data);
    free(key->issuer);
    memset(key, 0, sizeof(*key));
}
