#include "auth/endings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

/* Buckets double when there is more than one user for each. */
#define BUCKETS_MIN 256
/* 256 KiB of counters. While few users have an ending, most requests look at one of them only. */
#define FILTER_SIZE 65536
#define US_PER_S 1000000

typedef struct ended_session {
    int64_t session_id;
    int64_t ended_us;
} ended_session_t;

typedef struct entry {
    struct entry *next; /* in its bucket */
    int64_t user_id;
    int64_t all_us; /* sessions before have ended, but kept_id; 0: they have not */
    int64_t kept_id;
    int64_t tokens_us;
    bool is_erased;
    size_t count;
    ended_session_t *sessions; /* ascending by id */
} entry_t;

struct pl_endings {
    int64_t keep_us;
    int64_t keep_all_us;
    int64_t leeway_s;
    atomic_size_t users;
    atomic_uint filter[FILTER_SIZE]; /* the number of entries with that hash */
    pthread_mutex_t lock;            /* of all below */
    size_t buckets_count;            /* a power of two */
    entry_t **buckets;
};

pl_endings_t *pl_endings_create(int64_t keep_s, int64_t keep_all_s, int64_t leeway_s)
{
    pl_endings_t *endings = pl_calloc(1, sizeof(*endings));

    endings->keep_us = keep_s * US_PER_S;
    endings->keep_all_us = keep_all_s * US_PER_S;
    endings->leeway_s = leeway_s;
    endings->buckets_count = BUCKETS_MIN;
    endings->buckets = pl_calloc(BUCKETS_MIN, sizeof(entry_t *));
    pthread_mutex_init(&endings->lock, NULL);
    return endings;
}

static void free_entry(entry_t *entry)
{
    free(entry->sessions);
    free(entry);
}

void pl_endings_destroy(pl_endings_t **endings_p)
{
    pl_endings_t *endings = *endings_p;

    *endings_p = NULL;
    for (size_t i = 0; i < endings->buckets_count; i++)
        while (endings->buckets[i] != NULL) {
            entry_t *entry = endings->buckets[i];
            endings->buckets[i] = entry->next;
            free_entry(entry);
        }
    free(endings->buckets);
    pthread_mutex_destroy(&endings->lock);
    free(endings);
}

static size_t filter_index(int64_t user_id)
{
    return pl_hash_id(user_id) % FILTER_SIZE;
}

/* ---- the table, under the lock ---- */

static entry_t **place_of(const pl_endings_t *endings, int64_t user_id)
{
    size_t bucket = (pl_hash_id(user_id) >> 16) & (endings->buckets_count - 1);
    entry_t **place = &endings->buckets[bucket];

    while (*place != NULL && (*place)->user_id != user_id)
        place = &(*place)->next;
    return place;
}

static void grow(pl_endings_t *endings)
{
    entry_t **old = endings->buckets;
    size_t old_count = endings->buckets_count;

    endings->buckets_count *= 2;
    endings->buckets = pl_calloc(endings->buckets_count, sizeof(entry_t *));
    for (size_t i = 0; i < old_count; i++)
        while (old[i] != NULL) {
            entry_t *entry = old[i];
            entry_t **place = place_of(endings, entry->user_id);
            old[i] = entry->next;
            entry->next = NULL;
            *place = entry;
        }
    free(old);
}

static entry_t *find_or_create(pl_endings_t *endings, int64_t user_id)
{
    entry_t **place = place_of(endings, user_id);

    if (*place != NULL)
        return *place;
    if (atomic_load(&endings->users) >= endings->buckets_count) {
        grow(endings);
        place = place_of(endings, user_id);
    }
    *place = pl_calloc(1, sizeof(entry_t));
    (*place)->user_id = user_id;
    atomic_fetch_add(&endings->users, 1);
    atomic_fetch_add(&endings->filter[filter_index(user_id)], 1);
    return *place;
}

static void remove_entry(pl_endings_t *endings, entry_t **place)
{
    entry_t *entry = *place;

    *place = entry->next;
    atomic_fetch_sub(&endings->users, 1);
    atomic_fetch_sub(&endings->filter[filter_index(entry->user_id)], 1);
    free_entry(entry);
}

/* The index of the first session that has that id or a higher one. */
static size_t lower_bound(const entry_t *entry, int64_t session_id)
{
    size_t low = 0, high = entry->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry->sessions[middle].session_id < session_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_session(const entry_t *entry, int64_t session_id)
{
    size_t at = lower_bound(entry, session_id);
    return at < entry->count && entry->sessions[at].session_id == session_id;
}

/* The sessions that the latest ending of all has kept had been kept by the earlier ones. */
static bool add_all(entry_t *entry, const pl_ending_t *ending)
{
    bool is_news = ending->ended_us > entry->all_us || ending->tokens_us > entry->tokens_us ||
                   ending->is_erased > entry->is_erased;

    if (ending->ended_us > entry->all_us) {
        entry->all_us = ending->ended_us;
        entry->kept_id = ending->kept_id;
    }
    if (ending->tokens_us > entry->tokens_us)
        entry->tokens_us = ending->tokens_us;
    entry->is_erased = entry->is_erased || ending->is_erased;
    return is_news;
}

static bool add_session(entry_t *entry, const pl_ending_t *ending)
{
    size_t at = lower_bound(entry, ending->session_id);

    if (has_session(entry, ending->session_id))
        return false;
    entry->sessions = pl_reallocarray(entry->sessions, entry->count + 1, sizeof(ended_session_t));
    memmove(&entry->sessions[at + 1], &entry->sessions[at],
            (entry->count - at) * sizeof(ended_session_t));
    entry->sessions[at] = (ended_session_t){ending->session_id, ending->ended_us};
    entry->count++;
    return true;
}

bool pl_endings_add(pl_endings_t *endings, const pl_ending_t *ending)
{
    pthread_mutex_lock(&endings->lock);
    entry_t *entry = find_or_create(endings, ending->user_id);
    bool is_news = ending->session_id == 0 ? add_all(entry, ending) : add_session(entry, ending);
    pthread_mutex_unlock(&endings->lock);
    return is_news;
}

/* ---- checks ---- */

bool pl_endings_is_after(const pl_endings_t *endings, const pl_token_claims_t *claims,
                         int64_t time_us)
{
    return claims->issued_s > time_us / US_PER_S + endings->leeway_s;
}

static bool is_session_ended(const entry_t *entry, int64_t session_id)
{
    return (session_id < entry->all_us && session_id != entry->kept_id) ||
           has_session(entry, session_id);
}

static enum pl_ended check(const pl_endings_t *endings, const entry_t *entry,
                           const pl_token_claims_t *claims)
{
    bool is_ended = false;

    if (entry->is_erased)
        return PL_ENDED_USER;
    if (claims->session_id != 0)
        is_ended = is_session_ended(entry, claims->session_id);
    else if (entry->tokens_us != 0)
        is_ended = !pl_endings_is_after(endings, claims, entry->tokens_us);
    return is_ended ? PL_ENDED_SESSION : PL_ENDED_NOT;
}

enum pl_ended pl_endings_check(pl_endings_t *endings, const pl_token_claims_t *claims)
{
    enum pl_ended ended = PL_ENDED_NOT;

    if (atomic_load(&endings->filter[filter_index(claims->user_id)]) == 0)
        return PL_ENDED_NOT;
    pthread_mutex_lock(&endings->lock);
    const entry_t *entry = *place_of(endings, claims->user_id);
    if (entry != NULL)
        ended = check(endings, entry, claims);
    pthread_mutex_unlock(&endings->lock);
    return ended;
}

/* ---- forgetting ---- */

/* True if nothing is left of the entry. */
static bool shrink(const pl_endings_t *endings, entry_t *entry, int64_t now_us)
{
    size_t kept = 0;

    for (size_t i = 0; i < entry->count; i++)
        if (entry->sessions[i].ended_us >= now_us - endings->keep_us)
            entry->sessions[kept++] = entry->sessions[i];
    entry->count = kept;
    return kept == 0 && entry->all_us < now_us - endings->keep_all_us;
}

void pl_endings_forget(pl_endings_t *endings, int64_t now_us)
{
    pthread_mutex_lock(&endings->lock);
    for (size_t i = 0; i < endings->buckets_count; i++)
        for (entry_t **place = &endings->buckets[i]; *place != NULL;)
            if (shrink(endings, *place, now_us))
                remove_entry(endings, place);
            else
                place = &(*place)->next;
    pthread_mutex_unlock(&endings->lock);
}

size_t pl_endings_users(const pl_endings_t *endings)
{
    return atomic_load_explicit(&endings->users, memory_order_relaxed);
}
