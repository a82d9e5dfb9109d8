/* Access tokens: JWTs signed by our key (HS256) or by a configured issuer (RS256, ES256, EdDSA).
 *
 * The algorithm comes from the configuration, never from the token: a token's alg and iss pick one
 * configured key, whose algorithm must be that alg. So "none", an unsigned token and a public key
 * taken for an HMAC secret have nothing to match. */
#ifndef PL_AUTH_TOKEN_H
#define PL_AUTH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"

/* A longer token is refused unread. External issuers put many claims in theirs. */
#define PL_TOKEN_SIZE_MAX 8192
/* HS256 needs a key as long as its hash (RFC 7518, 3.2). */
#define PL_TOKEN_KEY_MIN 32

typedef struct pl_token_claims {
    int64_t user_id;   /* sub; 0 where an admin's token has none */
    bool admin;        /* the words of scope (a string, separated by spaces) include "admin" */
    int64_t expires_s; /* exp, seconds since 1970 */
} pl_token_claims_t;

/* Keys and the cache of verified tokens. Not thread-safe: one per worker. */
typedef struct pl_auth pl_auth_t;

/* Reads the key files. The HS256 key is the file's bytes without white space at the end, at least
 * PL_TOKEN_KEY_MIN of them; a public key is PEM and must fit its algorithm (RSA of 2048 bits or
 * more, P-256, Ed25519). Returns 0, or -1 with PL_ERROR_INVALID. config may go afterwards. */
int pl_auth_create(const pl_config_t *config, pl_auth_t **auth_r, pl_error_t *err) PL_MUST_USE;

/* Wipes the keys, frees and sets *auth to NULL; fine on NULL. */
void pl_auth_destroy(pl_auth_t **auth);

/* Verifies signature, sub (a user's id; required unless the scope is admin), exp (required), nbf
 * and iat (where present; they may lie in the future by the configured leeway) at the current time.
 * Returns 0 and fills *claims_r; or -1 with PL_ERROR_INVALID and a message that may be told to the
 * client and never has a part of the token. A token that verified is remembered: then it costs a
 * hash and a comparison, and its times are still checked at every call. token needs no NUL. */
int pl_token_verify(pl_auth_t *auth, const char *token, size_t len, pl_token_claims_t *claims_r,
                    pl_error_t *err) PL_MUST_USE;

/* The same at a given time, in seconds since 1970. */
int pl_token_verify_at(pl_auth_t *auth, const char *token, size_t len, int64_t now_s,
                       pl_token_claims_t *claims_r, pl_error_t *err) PL_MUST_USE;

/* A token for user_id, HS256, issued now, that lives lifetime_s seconds. Returns a string for the
 * caller to free(). */
char *pl_token_mint(pl_auth_t *auth, int64_t user_id, int64_t lifetime_s) PL_MUST_USE;

#endif
