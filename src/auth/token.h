/* Access tokens: JWTs signed by our key (HS256) or by a configured issuer (RS256, ES256, EdDSA).
 *
 * The configuration decides the algorithm, never the token: a token's alg and iss only select among
 * the configured keys, and the key's own algorithm must be that alg. So no key matches a token with
 * "none", and a public key is never used as an HMAC secret. */
#ifndef PL_AUTH_TOKEN_H
#define PL_AUTH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/claims.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"

/* In bytes; a longer token is refused without reading it. Tokens of external issuers have many
 * claims. */
#define PL_TOKEN_SIZE_MAX 8192

/* The keys, and a cache of verified tokens. Not thread-safe: each worker has its own. */
typedef struct pl_auth pl_auth_t;

/* Reads the key files. The HS256 key is the content of its file without white space at the end, and
 * has at least PL_KEY_SECRET_MIN bytes. A public key is PEM and must fit its algorithm (RSA of 2048
 * bits or more, P-256, Ed25519). Returns 0, or -1 with PL_ERROR_INVALID, or PL_ERROR_INTERNAL if
 * libsodium does not start. config may be freed afterwards. */
int pl_auth_create(const pl_config_t *config, pl_auth_t **auth_r, pl_error_t *err) PL_MUST_USE;

/* Overwrites the keys with zeros, frees all and sets *auth to NULL. *auth may be NULL. */
void pl_auth_destroy(pl_auth_t **auth);

/* Verifies a token at the current time: its signature; sub (a user's id, required unless the scope
 * is admin); exp (required); nbf and iat (if present; they may be in the future by the configured
 * leeway). Returns 0 and fills *claims_r; or -1 with PL_ERROR_INVALID and a message that is fit for
 * a client and contains no part of the token. Verified tokens are cached: the next call costs a
 * hash and a comparison, and checks the times again. token needs no NUL. */
int pl_token_verify(pl_auth_t *auth, const char *token, size_t len, pl_token_claims_t *claims_r,
                    pl_error_t *err) PL_MUST_USE;

/* The same at a given time, in seconds since 1970. */
int pl_token_verify_at(pl_auth_t *auth, const char *token, size_t len, int64_t now_s,
                       pl_token_claims_t *claims_r, pl_error_t *err) PL_MUST_USE;

/* Makes an HS256 token of a session: the user, the session, and when it is issued and expires. The
 * caller calls free() on the result. Never NULL. */
char *pl_token_mint(pl_auth_t *auth, const pl_token_claims_t *claims) PL_MUST_USE;

#endif
