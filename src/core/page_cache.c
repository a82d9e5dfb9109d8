#include "core/page_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/metrics.h"

/* The cost of a page beside its bytes: its struct, the overhead of two allocations, its bucket. */
#define OVERHEAD (sizeof(pl_cached_page_t) + 48)
/* Pages are about this large or larger, so chains stay short. */
#define BYTES_PER_BUCKET 2048
/* One page must not evict everything else. */
#define LARGEST_FRACTION 8

struct pl_page_cache {
    size_t size;
    size_t used;
    pl_cached_page_t *newest, *oldest; /* by use */
    size_t mask;                       /* number of buckets, a power of two, less one */
    pl_cached_page_t **buckets;
};

static pl_counter_t hits, misses, evictions;
static pl_gauge_t bytes;

void pl_page_cache_metrics_init(void)
{
    hits = pl_counter_register("parley_cache_hits_total",
                               "Pages answered from the cache after their version was read.", NULL);
    misses = pl_counter_register(
        "parley_cache_misses_total",
        "Pages that were read from the database, since the cache had none of that version.", NULL);
    evictions = pl_counter_register("parley_cache_evictions_total",
                                    "Pages pushed out of the cache to make room.", NULL);
    bytes = pl_gauge_register("parley_cache_bytes", "Memory that the cached pages take.", NULL);
}

pl_page_cache_t *pl_page_cache_create(size_t size)
{
    pl_page_cache_t *cache = pl_calloc(1, sizeof(*cache));
    size_t buckets = 1;

    while (buckets < size / BYTES_PER_BUCKET)
        buckets *= 2;
    cache->size = size;
    cache->mask = buckets - 1;
    cache->buckets = pl_calloc(buckets, sizeof(cache->buckets[0]));
    return cache;
}

pl_cached_page_t *pl_cached_page_create(const pl_page_key_t *key, int64_t version,
                                        pl_buffer_t *body)
{
    pl_cached_page_t *page = pl_calloc(1, sizeof(*page));

    page->key = *key;
    page->version = version;
    page->data = pl_buffer_detach(body, &page->len);
    /* Buffers grow by doubling. A page stays for long, so it gives back the memory that it does not
     * use. */
    page->data = pl_realloc(page->data, page->len + 1);
    page->refs = 1;
    return page;
}

void pl_cached_page_unref(void *object)
{
    pl_cached_page_t *page = object;

    if (--page->refs == 0) {
        free(page->data);
        free(page);
    }
}

static size_t cost_of(const pl_cached_page_t *page)
{
    return page->len + OVERHEAD;
}

static pl_cached_page_t **bucket_of(const pl_page_cache_t *cache, const pl_page_key_t *key)
{
    return &cache->buckets[pl_hash64(key, sizeof(*key)) & cache->mask];
}

/* The link to the page with that key, or the end of its chain. */
static pl_cached_page_t **find(const pl_page_cache_t *cache, const pl_page_key_t *key)
{
    pl_cached_page_t **place = bucket_of(cache, key);

    while (*place != NULL && memcmp(&(*place)->key, key, sizeof(*key)) != 0)
        place = &(*place)->next;
    return place;
}

static void link_newest(pl_page_cache_t *cache, pl_cached_page_t *page)
{
    page->newer = NULL;
    page->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = page;
    cache->newest = page;
}

static void unlink_use(pl_page_cache_t *cache, pl_cached_page_t *page)
{
    *(page->newer != NULL ? &page->newer->older : &cache->newest) = page->older;
    *(page->older != NULL ? &page->older->newer : &cache->oldest) = page->newer;
}

/* `place` is the link to the page in its chain. */
static void drop(pl_page_cache_t *cache, pl_cached_page_t **place)
{
    pl_cached_page_t *page = *place;

    *place = page->next;
    unlink_use(cache, page);
    cache->used -= cost_of(page);
    pl_gauge_add(bytes, -(int64_t)cost_of(page));
    pl_cached_page_unref(page);
}

void pl_page_cache_destroy(pl_page_cache_t **cache)
{
    while ((*cache)->oldest != NULL)
        drop(*cache, find(*cache, &(*cache)->oldest->key));
    free((*cache)->buckets);
    free(*cache);
    *cache = NULL;
}

void pl_page_cache_put(pl_page_cache_t *cache, pl_cached_page_t *page)
{
    pl_cached_page_t **place = find(cache, &page->key);

    pl_counter_add(misses, 1);
    if (*place != NULL)
        drop(cache, place);
    if (cost_of(page) > cache->size / LARGEST_FRACTION)
        return;
    while (cache->used + cost_of(page) > cache->size) {
        drop(cache, find(cache, &cache->oldest->key));
        pl_counter_add(evictions, 1);
    }
    place = bucket_of(cache, &page->key);
    page->next = *place;
    *place = page;
    page->refs++;
    link_newest(cache, page);
    cache->used += cost_of(page);
    pl_gauge_add(bytes, (int64_t)cost_of(page));
}

bool pl_page_cache_has(const pl_page_cache_t *cache, const pl_page_key_t *key)
{
    return *find(cache, key) != NULL;
}

pl_cached_page_t *pl_page_cache_get(pl_page_cache_t *cache, const pl_page_key_t *key,
                                    int64_t version)
{
    pl_cached_page_t *page = *find(cache, key);

    if (page == NULL || page->version != version)
        return NULL;
    pl_counter_add(hits, 1);
    unlink_use(cache, page);
    link_newest(cache, page);
    page->refs++;
    return page;
}
