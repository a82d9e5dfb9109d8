/* One verification key and its algorithm. Only the token module uses it. */
#ifndef PL_AUTH_KEY_H
#define PL_AUTH_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"

enum pl_key_algorithm { PL_KEY_HS256, PL_KEY_RS256, PL_KEY_ES256, PL_KEY_EDDSA };

#define PL_KEY_ED25519_SIZE 32

typedef struct pl_key {
    enum pl_key_algorithm algorithm;
    char *issuer; /* iss that it speaks for; NULL for our own key */
    char *data;   /* HS256: the secret; RS256, ES256: PEM; ended by a NUL that len leaves out */
    size_t len;
    unsigned char ed25519[PL_KEY_ED25519_SIZE];
} pl_key_t;

/* "HS256", "RS256", "ES256", "EdDSA". */
const char *pl_key_algorithm_name(enum pl_key_algorithm algorithm);

/* Reads the HS256 secret. Returns 0, or -1 with PL_ERROR_INVALID; *key then owns nothing. */
int pl_key_load_secret(const char *path, pl_key_t *key, pl_error_t *err) PL_MUST_USE;

/* Reads a public key and checks that it fits the algorithm by that name. The same results. */
int pl_key_load_public(const char *path, const char *algorithm, const char *issuer, pl_key_t *key,
                       pl_error_t *err) PL_MUST_USE;

/* True where the signature of the compact JWS in token (ended by a NUL) is this key's, by this
 * key's algorithm. The caller has checked that the header's alg is that algorithm. */
bool pl_key_verifies(const pl_key_t *key, const char *token) PL_MUST_USE;

/* Wipes and frees. */
void pl_key_dispose(pl_key_t *key);

#endif
