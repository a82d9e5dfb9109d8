/*
 * A cache of answers to reads of a mailbox (core/page_fetch.h), each with the version of the
 * mailbox at the time of the read.
 *
 * A page is the right answer as long as the mailbox has this version, which the caller reads from
 * the database for each request. So pages are never invalidated: a page with an old version is
 * replaced or evicted. There is one cache per loop, bounded in bytes; the least recently used page
 * is evicted first.
 */
#ifndef PL_CORE_PAGE_CACHE_H
#define PL_CORE_PAGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"

enum pl_page_kind {
    PL_PAGE_CONVERSATIONS, /* of a user */
    PL_PAGE_MESSAGES,      /* of a conversation */
    PL_PAGE_MESSAGE,       /* one message, not in a list */
    PL_PAGE_CONVERSATION,  /* one conversation, not in a list */
};

/* A query in canonical form; members that it does not use are 0. */
typedef struct pl_page_key {
    int64_t kind; /* pl_page_kind */
    int64_t user_id;
    int64_t peer_id;    /* PL_PAGE_CONVERSATIONS: with `before` */
    int64_t message_id; /* PL_PAGE_MESSAGE */
    int64_t page_size;
    int64_t skip;
    /* At most one of the three, and then no skip. 0: not given. */
    int64_t before; /* messages below this id, the nearest ones; conversations after the place of
                     * one with this last message and this peer */
    int64_t after;  /* messages above this id, the nearest ones */
    int64_t around; /* this message and the nearest ones on both sides */
    int64_t since;
} pl_page_key_t;

typedef struct pl_page_cache pl_page_cache_t;

/* A serialised page; constant, and counted (not atomically: it stays on its loop). */
typedef struct pl_cached_page {
    pl_page_key_t key;
    int64_t version;
    char *data;
    size_t len;
    /* The cache's own. */
    size_t refs;
    struct pl_cached_page *next; /* in its bucket */
    struct pl_cached_page *newer, *older;
} pl_cached_page_t;

/* size in bytes; 0: it keeps nothing. Never NULL. */
pl_page_cache_t *pl_page_cache_create(size_t size);
/* Pages that are still referenced stay valid. */
void pl_page_cache_destroy(pl_page_cache_t **cache);

/* Once, before the first create: hits, misses, evictions and bytes. */
void pl_page_cache_metrics_init(void);

/* Takes the body's bytes over (the buffer is empty afterwards). The caller has one reference. */
pl_cached_page_t *pl_cached_page_create(const pl_page_key_t *key, int64_t version,
                                        pl_buffer_t *body) PL_MUST_USE;
/* Takes a void pointer to fit pl_request_reply_shared. */
void pl_cached_page_unref(void *object);

/* Keeps the page, with a reference of its own, in place of the page with that key. A page that is
 * larger than an eighth of the cache is not kept. Counted as a miss, because it had to be read. */
void pl_page_cache_put(pl_page_cache_t *cache, pl_cached_page_t *page);

/* Whether there is a page for the key, of any version: then reading the version is worth its
 * cost. */
bool pl_page_cache_has(const pl_page_cache_t *cache, const pl_page_key_t *key);

/* The page if it has exactly that version, with a reference for the caller; else NULL. A page
 * counts as a hit. */
pl_cached_page_t *pl_page_cache_get(pl_page_cache_t *cache, const pl_page_key_t *key,
                                    int64_t version) PL_MUST_USE;

#endif
