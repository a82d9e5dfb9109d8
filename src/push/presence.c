#include "push/presence.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "loop/timer.h"

/* What a watcher may learn later than the time was up. */
#define EXPIRE_MS 1000
/* Of a crowd that leaves at once so many are taken while others wait for the lock. */
#define EXPIRE_AT_ONCE 64

typedef enum { OFFLINE, OPEN, FADING } state_t;

typedef struct entry {
    struct entry *next;  /* in its bucket */
    h2o_linklist_t link; /* in `fading` or `offline` */
    int64_t user_id;
    int64_t seen_ms; /* the last sign, on the monotonic clock */
    int64_t seen_us; /* the same, since 1970 */
    uint32_t open;   /* streams and long-polls */
    state_t state;
} entry_t;

struct pl_presence {
    pthread_mutex_t lock;
    int64_t timeout_ms;
    pl_hub_t *watchers;
    pl_loop_t *loop;
    pl_timer_t timer;
    size_t max_users;
    size_t count;
    size_t offline_count;
    h2o_linklist_t fading; /* by seen_ms */
    h2o_linklist_t offline;
    size_t mask; /* number of buckets, a power of two, less one */
    entry_t *buckets[];
};

pl_presence_t *pl_presence_create(size_t max_users, int64_t timeout_ms, pl_hub_t *watchers)
{
    size_t buckets = 1;
    while (buckets < max_users)
        buckets *= 2;
    pl_presence_t *presence = pl_calloc(1, sizeof(*presence) + buckets * sizeof(entry_t *));
    pthread_mutex_init(&presence->lock, NULL);
    presence->timeout_ms = timeout_ms;
    presence->watchers = watchers;
    presence->max_users = max_users;
    presence->mask = buckets - 1;
    h2o_linklist_init_anchor(&presence->fading);
    h2o_linklist_init_anchor(&presence->offline);
    return presence;
}

void pl_presence_destroy(pl_presence_t **presence_p)
{
    pl_presence_t *presence = *presence_p;

    *presence_p = NULL;
    for (size_t i = 0; i <= presence->mask; i++)
        while (presence->buckets[i] != NULL) {
            entry_t *entry = presence->buckets[i];
            presence->buckets[i] = entry->next;
            free(entry);
        }
    pthread_mutex_destroy(&presence->lock);
    free(presence);
}

pl_hub_t *pl_presence_watchers(const pl_presence_t *presence)
{
    return presence->watchers;
}

/* ---- the table, under the lock ---- */

static entry_t **place_of(pl_presence_t *presence, int64_t user_id)
{
    entry_t **place = &presence->buckets[pl_hash_id(user_id) & presence->mask];

    while (*place != NULL && (*place)->user_id != user_id)
        place = &(*place)->next;
    return place;
}

static entry_t *find(pl_presence_t *presence, int64_t user_id)
{
    return *place_of(presence, user_id);
}

/* Also from FADING to FADING, for a new sign: to the end of the list. */
static void set_state(pl_presence_t *presence, entry_t *entry, state_t state)
{
    presence->offline_count -= entry->state == OFFLINE;
    presence->offline_count += state == OFFLINE;
    entry->state = state;
    if (h2o_linklist_is_linked(&entry->link))
        h2o_linklist_unlink(&entry->link);
    if (state != OPEN)
        h2o_linklist_insert(state == FADING ? &presence->fading : &presence->offline, &entry->link);
}

/* The one who was seen the longest ago. False: nobody is offline. */
static bool forget_one(pl_presence_t *presence)
{
    if (h2o_linklist_is_empty(&presence->offline))
        return false;
    entry_t *entry = H2O_STRUCT_FROM_MEMBER(entry_t, link, presence->offline.next);
    *place_of(presence, entry->user_id) = entry->next;
    h2o_linklist_unlink(&entry->link);
    presence->offline_count--;
    presence->count--;
    free(entry);
    return true;
}

/* NULL: the table is full of users who are online. */
static entry_t *find_or_add(pl_presence_t *presence, int64_t user_id)
{
    entry_t *entry = find(presence, user_id);

    if (entry != NULL)
        return entry;
    if (presence->count >= presence->max_users && !forget_one(presence))
        return NULL;
    entry = pl_calloc(1, sizeof(*entry));
    entry->user_id = user_id;
    *place_of(presence, user_id) = entry;
    presence->count++;
    presence->offline_count++;
    return entry;
}

/* By the time, and not by what the timer has found out so far. */
static bool is_online(const pl_presence_t *presence, const entry_t *entry, int64_t now_ms)
{
    return entry->state == OPEN ||
           (entry->state == FADING && now_ms - entry->seen_ms < presence->timeout_ms);
}

static void see(entry_t *entry, int64_t now_ms)
{
    entry->seen_ms = now_ms;
    entry->seen_us = pl_clock_now_us();
}

/* ---- what others do ---- */

/* Watchers are in this process; word to other servers goes out from here too. */
static void tell_watchers(const pl_presence_t *presence, int64_t user_id)
{
    pl_hub_tell(presence->watchers, user_id, &(pl_event_t){.name = "presence", .json = ""});
}

/* A sign of life: `opened` streams more than before. */
static int take_sign(pl_presence_t *presence, int64_t user_id, uint32_t opened, int64_t now_ms)
{
    bool was_online = false;

    pthread_mutex_lock(&presence->lock);
    entry_t *entry = find_or_add(presence, user_id);
    if (entry != NULL) {
        was_online = is_online(presence, entry, now_ms);
        entry->open += opened;
        see(entry, now_ms);
        set_state(presence, entry, entry->open > 0 ? OPEN : FADING);
    }
    pthread_mutex_unlock(&presence->lock);
    if (entry == NULL)
        return -1;
    if (!was_online)
        tell_watchers(presence, user_id);
    return 0;
}

int pl_presence_enter(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    return take_sign(presence, user_id, 1, now_ms);
}

int pl_presence_announce(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    return take_sign(presence, user_id, 0, now_ms);
}

void pl_presence_leave(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    pthread_mutex_lock(&presence->lock);
    entry_t *entry = find(presence, user_id);
    assert(entry != NULL && entry->open > 0);
    see(entry, now_ms);
    if (--entry->open == 0)
        set_state(presence, entry, FADING);
    pthread_mutex_unlock(&presence->lock);
}

void pl_presence_reconsider(pl_presence_t *presence, int64_t user_id)
{
    tell_watchers(presence, user_id);
}

pl_presence_state_t pl_presence_read(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    pl_presence_state_t state = {0};

    pthread_mutex_lock(&presence->lock);
    const entry_t *entry = find(presence, user_id);
    if (entry != NULL) {
        state.is_online = is_online(presence, entry, now_ms);
        state.last_seen_us = entry->state == OPEN ? pl_clock_now_us() : entry->seen_us;
    }
    pthread_mutex_unlock(&presence->lock);
    return state;
}

/* The next of those whose time is up; their number. */
static size_t take_expired(pl_presence_t *presence, int64_t now_ms, int64_t users[EXPIRE_AT_ONCE])
{
    size_t count = 0;

    pthread_mutex_lock(&presence->lock);
    while (count < EXPIRE_AT_ONCE && !h2o_linklist_is_empty(&presence->fading)) {
        entry_t *entry = H2O_STRUCT_FROM_MEMBER(entry_t, link, presence->fading.next);
        if (is_online(presence, entry, now_ms))
            break;
        set_state(presence, entry, OFFLINE);
        users[count++] = entry->user_id;
    }
    pthread_mutex_unlock(&presence->lock);
    return count;
}

void pl_presence_expire(pl_presence_t *presence, int64_t now_ms)
{
    int64_t users[EXPIRE_AT_ONCE];
    size_t count;

    do {
        count = take_expired(presence, now_ms, users);
        for (size_t i = 0; i < count; i++)
            tell_watchers(presence, users[i]);
    } while (count == EXPIRE_AT_ONCE);
}

static void on_expire(pl_timer_t *timer)
{
    pl_presence_t *presence = H2O_STRUCT_FROM_MEMBER(pl_presence_t, timer, timer);

    pl_timer_arm(pl_timer_queue(presence->loop, EXPIRE_MS), timer);
    pl_presence_expire(presence, pl_clock_monotonic_ms());
}

void pl_presence_start(pl_presence_t *presence, pl_loop_t *loop)
{
    presence->loop = loop;
    presence->timer.on_fire = on_expire;
    pl_timer_arm(pl_timer_queue(loop, EXPIRE_MS), &presence->timer);
}

pl_presence_counts_t pl_presence_count(pl_presence_t *presence)
{
    pthread_mutex_lock(&presence->lock);
    pl_presence_counts_t counts = {.online = presence->count - presence->offline_count,
                                   .known = presence->count};
    pthread_mutex_unlock(&presence->lock);
    return counts;
}
