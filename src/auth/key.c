#include "auth/key.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

#define KEY_FILE_MAX 65536
/* In bits. NIST SP 800-131A disallows smaller RSA keys. */
#define RSA_BITS_MIN 2048
/* In bytes. Of an RSA key of 16,384 bits, the largest that OpenSSL verifies with. */
#define SIGNATURE_MAX 2048
/* In bytes. A sequence of two integers of at most 33 bytes. */
#define ES256_DER_MAX 72

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

/* With a secret that others can read they can act as any user. */
static int check_mode(const char *path, FILE *file, pl_error_t *err)
{
    struct stat status;

    if (fstat(fileno(file), &status) != 0) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: %s", path, strerror(errno));
        return -1;
    }
    if ((status.st_mode & S_IRWXO) != 0) {
        pl_error_set(err, PL_ERROR_INVALID,
                     "%s: every user of this machine can read or write this secret (mode %03o): "
                     "chmod o= %s",
                     path, (unsigned)status.st_mode & 0777U, path);
        return -1;
    }
    return 0;
}

/* Returns the whole file with a NUL after it, which the caller frees; or NULL with *err. */
static char *read_file(const char *path, bool is_secret, size_t *len_r, pl_error_t *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (is_secret && check_mode(path, file, err) != 0) {
        fclose(file);
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

int pl_key_load_secret(const char *path, const char *id, pl_key_t *key, pl_error_t *err)
{
    memset(key, 0, sizeof(*key));
    size_t len;
    char *data = read_file(path, true, &len, err);
    if (data == NULL)
        return -1;
    while (len > 0 && isspace((unsigned char)data[len - 1]))
        data[--len] = '\0';
    key->algorithm = PL_KEY_HS256;
    key->secret = data;
    key->secret_len = len;
    key->id = *id != '\0' ? pl_strdup(id) : NULL;
    if (len < PL_KEY_SECRET_MIN) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: an HS256 key needs %d bytes or more", path,
                     PL_KEY_SECRET_MIN);
        pl_key_dispose(key);
        return -1;
    }
    return 0;
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[64];
    size_t len;
    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
           (strcmp(group, SN_X9_62_prime256v1) == 0 || strcmp(group, "P-256") == 0);
}

static bool fits(const pl_key_t *key, const EVP_PKEY *pkey)
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

/* Sets key->public_key from the PEM. Returns false if that is no public key for key->algorithm. */
static bool parse_public(pl_key_t *key, const char *pem, size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    key->public_key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key->public_key != NULL && fits(key, key->public_key);
}

int pl_key_load_public(const pl_config_issuer_t *issuer, pl_key_t *key, pl_error_t *err)
{
    const char *path = issuer->public_key_file;
    memset(key, 0, sizeof(*key));
    for (enum pl_key_algorithm a = PL_KEY_RS256; a <= PL_KEY_EDDSA; a++)
        if (strcmp(issuer->algorithm, pl_key_algorithm_name(a)) == 0)
            key->algorithm = a;
    if (key->algorithm == PL_KEY_HS256) {
        pl_error_set(err, PL_ERROR_INVALID, "%s is not an algorithm for an issuer",
                     issuer->algorithm);
        return -1;
    }
    size_t len;
    char *pem = read_file(path, false, &len, err);
    if (pem == NULL)
        return -1;
    bool is_public = parse_public(key, pem, len);
    free(pem);
    if (!is_public) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: not a PEM public key for %s", path,
                     issuer->algorithm);
        pl_key_dispose(key);
        return -1;
    }
    key->issuer = pl_strdup(issuer->issuer);
    key->audience = pl_strdup(issuer->audience);
    key->allow_admin = issuer->allow_admin;
    key->max_lifetime_s = issuer->max_lifetime_s;
    return 0;
}

static bool verify_hmac(const pl_key_t *key, const char *input, size_t len,
                        const unsigned char *signature, size_t signature_len)
{
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key->secret, key->secret_len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)input, len);
    crypto_auth_hmacsha256_final(&state, mac);
    return signature_len == sizeof(mac) && sodium_memcmp(mac, signature, sizeof(mac)) == 0;
}

/* A JWS has r and s of an ECDSA signature, 32 bytes each (RFC 7518, 3.4); OpenSSL wants DER.
 * Returns the length of the DER, or 0. */
static size_t es256_to_der(const unsigned char *raw, size_t len, unsigned char *der)
{
    if (len != 64)
        return 0;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, 32, NULL);
    BIGNUM *s = BN_bin2bn(raw + 32, 32, NULL);
    if (signature == NULL || ECDSA_SIG_set0(signature, r, s) != 1)
        abort(); /* out of memory */
    int der_len = i2d_ECDSA_SIG(signature, &der);
    ECDSA_SIG_free(signature);
    return der_len > 0 ? (size_t)der_len : 0;
}

static bool verify_public(const pl_key_t *key, const char *input, size_t len,
                          const unsigned char *signature, size_t signature_len)
{
    unsigned char der[ES256_DER_MAX];
    if (key->algorithm == PL_KEY_ES256) {
        signature_len = es256_to_der(signature, signature_len, der);
        signature = der;
    }
    /* Ed25519 hashes by itself. RS256 is PKCS #1 v1.5, OpenSSL's default for RSA. */
    const EVP_MD *digest = key->algorithm == PL_KEY_EDDSA ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && signature_len > 0 &&
              EVP_DigestVerifyInit(context, NULL, digest, NULL, key->public_key) == 1 &&
              EVP_DigestVerify(context, signature, signature_len, (const unsigned char *)input,
                               len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

bool pl_key_verifies(const pl_key_t *key, const char *token)
{
    const char *dot = strrchr(token, '.');
    unsigned char signature[SIGNATURE_MAX];
    size_t len;
    if (dot == NULL ||
        sodium_base642bin(signature, sizeof(signature), dot + 1, strlen(dot + 1), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    return key->algorithm == PL_KEY_HS256
               ? verify_hmac(key, token, (size_t)(dot - token), signature, len)
               : verify_public(key, token, (size_t)(dot - token), signature, len);
}

void pl_key_dispose(pl_key_t *key)
{
    if (key->secret != NULL)
        sodium_memzero(key->secret, key->secret_len);
    free(key->secret);
    EVP_PKEY_free(key->public_key);
    free(key->id);
    free(key->issuer);
    free(key->audience);
    memset(key, 0, sizeof(*key));
}
