/* A bounded cache of verified tokens and their claims. It stores and compares whole tokens, so that
 * a hash collision can never replace a signature. Not thread-safe. */
#ifndef PL_AUTH_TOKEN_CACHE_H
#define PL_AUTH_TOKEN_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "auth/claims.h"
#include "base/compiler.h"

/* At most PL_TOKEN_CACHE_ENTRIES tokens of at most PL_TOKEN_CACHE_LEN_MAX bytes: 16 MB in the worst
 * case, 2 MB with our own tokens. A longer token is not stored. */
#define PL_TOKEN_CACHE_ENTRIES 8192
#define PL_TOKEN_CACHE_LEN_MAX 2048

typedef struct pl_token_cache pl_token_cache_t;

/* The cached facts of a token: its claims, and the time from which on it is valid, in seconds since
 * 1970 (INT64_MIN: always). */
typedef struct pl_token_facts {
    pl_token_claims_t claims;
    int64_t not_before_s;
} pl_token_facts_t;

/* libsodium must be initialised. Never NULL. */
pl_token_cache_t *pl_token_cache_create(void) PL_MUST_USE;
/* Overwrites the tokens with zeros, frees all and sets *cache to NULL. *cache may be NULL. */
void pl_token_cache_destroy(pl_token_cache_t **cache);

/* Returns the facts of a cached token, which are valid until the next insert; or NULL. */
const pl_token_facts_t *pl_token_cache_find(pl_token_cache_t *cache, const char *token, size_t len);

/* Adds a token that is not in the cache. May remove another one. */
void pl_token_cache_insert(pl_token_cache_t *cache, const char *token, size_t len,
                           const pl_token_facts_t *facts);

#endif
