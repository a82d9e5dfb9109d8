/* One verification key and its algorithm. Only token.c uses it. */
#ifndef PL_AUTH_KEY_H
#define PL_AUTH_KEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"

enum pl_key_algorithm { PL_KEY_HS256, PL_KEY_RS256, PL_KEY_ES256, PL_KEY_EDDSA };

/* In bytes. HS256 needs a key that is at least as long as its hash (RFC 7518, 3.2). */
#define PL_KEY_SECRET_MIN 32

typedef struct pl_key {
    enum pl_key_algorithm algorithm;
    char *id;     /* the kid of its tokens; NULL: none */
    char *issuer; /* the iss of its tokens; NULL for our own keys */
    /* What else a token of the issuer must have; not for our own keys. */
    char *audience;
    bool allow_admin;
    int64_t max_lifetime_s;
    char *secret; /* of HS256, with a NUL that secret_len does not count */
    size_t secret_len;
    EVP_PKEY *public_key; /* of the other algorithms */
} pl_key_t;

/* "HS256", "RS256", "ES256", "EdDSA". */
const char *pl_key_algorithm_name(enum pl_key_algorithm algorithm);

/* Reads the HS256 secret from a file, which must not be accessible by every user of the machine.
 * `id` may be "". Returns 0, and the caller disposes of *key; or -1 with PL_ERROR_INVALID, and *key
 * owns nothing. */
int pl_key_load_secret(const char *path, const char *id, pl_key_t *key,
                       pl_error_t *err) PL_MUST_USE;

/* Reads an issuer's public key from its file and checks that it fits the algorithm. Returns the
 * same. */
int pl_key_load_public(const pl_config_issuer_t *issuer, pl_key_t *key,
                       pl_error_t *err) PL_MUST_USE;

/* Returns true if the signature of the compact JWS in token (which ends in a NUL) is valid for this
 * key and its algorithm. The caller has checked that the header's alg is that algorithm. */
bool pl_key_verifies(const pl_key_t *key, const char *token) PL_MUST_USE;

/* Overwrites the key with zeros and frees its memory. */
void pl_key_dispose(pl_key_t *key);

#endif
