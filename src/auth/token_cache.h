/* A bounded table of tokens that verified, with what they claim. It holds whole tokens and compares
 * them whole: no collision can stand in for a signature. Not thread-safe. */
#ifndef PL_AUTH_TOKEN_CACHE_H
#define PL_AUTH_TOKEN_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "auth/token.h"

/* At most PL_TOKEN_CACHE_ENTRIES tokens of PL_TOKEN_CACHE_LEN_MAX bytes: 16 MB at the worst, 2 MB
 * with our own tokens. A longer token is not kept. */
#define PL_TOKEN_CACHE_ENTRIES 8192
#define PL_TOKEN_CACHE_LEN_MAX 2048

typedef struct pl_token_cache pl_token_cache_t;

/* What is kept: the claims, and the second from which on the token may be used (INT64_MIN: always).
 */
typedef struct pl_token_facts {
    pl_token_claims_t claims;
    int64_t not_before_s;
} pl_token_facts_t;

/* libsodium is initialised. */
pl_token_cache_t *pl_token_cache_create(void) PL_MUST_USE;
/* Wipes the tokens, frees and sets *cache to NULL; fine on NULL. */
void pl_token_cache_destroy(pl_token_cache_t **cache);

/* NULL, or facts that are valid until the next insert. */
const pl_token_facts_t *pl_token_cache_find(pl_token_cache_t *cache, const char *token, size_t len);

/* The token is not there yet. May drop another. */
void pl_token_cache_insert(pl_token_cache_t *cache, const char *token, size_t len,
                           const pl_token_facts_t *facts);

#endif
