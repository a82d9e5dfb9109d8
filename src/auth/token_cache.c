#include "auth/token_cache.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The number of entries in a set. A new token replaces the oldest entry of its set. */
#define WAYS 4
#define SETS (PL_TOKEN_CACHE_ENTRIES / WAYS)

_Static_assert((SETS & (SETS - 1)) == 0, "a set is picked by a mask");

typedef struct entry {
    uint64_t hash;
    char *token; /* NULL: the entry is empty */
    size_t len;
    pl_token_facts_t facts;
} entry_t;

typedef struct set {
    entry_t entries[WAYS];
    unsigned next; /* index of the entry to replace next */
} set_t;

struct pl_token_cache {
    unsigned char key[crypto_shorthash_KEYBYTES];
    set_t sets[SETS];
};

/* The hash has a secret key, so that a client cannot choose tokens that fall into one set. */
static uint64_t hash_token(const pl_token_cache_t *cache, const char *token, size_t len)
{
    uint64_t hash;
    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)token, len, cache->key);
    return hash;
}

static void clear_entry(entry_t *entry)
{
    if (entry->token != NULL) {
        sodium_memzero(entry->token, entry->len);
        free(entry->token);
        entry->token = NULL;
    }
}

pl_token_cache_t *pl_token_cache_create(void)
{
    pl_token_cache_t *cache = pl_calloc(1, sizeof(*cache));
    crypto_shorthash_keygen(cache->key);
    return cache;
}

void pl_token_cache_destroy(pl_token_cache_t **cache)
{
    if (*cache == NULL)
        return;
    for (size_t s = 0; s < SETS; s++)
        for (size_t w = 0; w < WAYS; w++)
            clear_entry(&(*cache)->sets[s].entries[w]);
    free(*cache);
    *cache = NULL;
}

const pl_token_facts_t *pl_token_cache_find(pl_token_cache_t *cache, const char *token, size_t len)
{
    uint64_t hash = hash_token(cache, token, len);
    set_t *set = &cache->sets[hash & (SETS - 1)];
    for (size_t w = 0; w < WAYS; w++) {
        const entry_t *entry = &set->entries[w];
        /* memcmp() takes longer the more two tokens agree. A client can measure this only with a
         * token whose keyed hash is the same, which it cannot find. */
        if (entry->token != NULL && entry->hash == hash && entry->len == len &&
            memcmp(entry->token, token, len) == 0)
            return &entry->facts;
    }
    return NULL;
}

void pl_token_cache_insert(pl_token_cache_t *cache, const char *token, size_t len,
                           const pl_token_facts_t *facts)
{
    if (len > PL_TOKEN_CACHE_LEN_MAX)
        return;
    uint64_t hash = hash_token(cache, token, len);
    set_t *set = &cache->sets[hash & (SETS - 1)];
    entry_t *entry = &set->entries[set->next];
    set->next = (set->next + 1) % WAYS;
    clear_entry(entry);
    *entry = (entry_t){
        .hash = hash,
        .token = pl_memdup(token, len),
        .len = len,
        .facts = *facts,
    };
}
