#include "push/presence.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "loop/timer.h"

/* The period of the timer: a watcher learns at most this much later that a user went offline. */
#define EXPIRE_MS 1000
/* If very many users expire at once, the lock is released after each group of this size. */
#define EXPIRE_AT_ONCE 64

typedef enum { OFFLINE, OPEN, GRACE } state_t;

typedef struct entry {
    struct entry *next;  /* in its bucket */
    h2o_linklist_t link; /* in `grace` or `offline`; not linked while OPEN */
    int64_t user_id;
    int64_t seen_ms; /* the last sign of life, on the monotonic clock */
    int64_t seen_us; /* the same, since 1970 */
    uint32_t open;   /* number of open streams and long-polls */
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
    h2o_linklist_t grace; /* by seen_ms */
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
    h2o_linklist_init_anchor(&presence->grace);
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

/* Each state has one bit; the arrows of presence.h. From OPEN to OPEN: a further stream was opened.
 * From GRACE to GRACE: a new sign of life moves the entry to the end of the list. */
static const unsigned next_states[] = {
    [OFFLINE] = 1u << OPEN | 1u << GRACE,
    [OPEN] = 1u << OPEN | 1u << GRACE,
    [GRACE] = 1u << OFFLINE | 1u << OPEN | 1u << GRACE,
};

static void set_state(pl_presence_t *presence, entry_t *entry, state_t state)
{
    assert((next_states[entry->state] >> state & 1u) != 0);
    assert((entry->open > 0) == (state == OPEN));
    assert(entry->state != OFFLINE || presence->offline_count > 0);
    presence->offline_count -= entry->state == OFFLINE;
    presence->offline_count += state == OFFLINE;
    entry->state = state;
    if (h2o_linklist_is_linked(&entry->link))
        h2o_linklist_unlink(&entry->link);
    if (state != OPEN)
        h2o_linklist_insert(state == GRACE ? &presence->grace : &presence->offline, &entry->link);
}

/* Removes the offline user whose last sign of life is the oldest. False: no user is offline. */
static bool forget_one(pl_presence_t *presence)
{
    if (h2o_linklist_is_empty(&presence->offline))
        return false;
    entry_t *entry = H2O_STRUCT_FROM_MEMBER(entry_t, link, presence->offline.next);
    assert(entry->state == OFFLINE && presence->offline_count > 0);
    *place_of(presence, entry->user_id) = entry->next;
    h2o_linklist_unlink(&entry->link);
    presence->offline_count--;
    presence->count--;
    free(entry);
    return true;
}

/* A new entry is OFFLINE. NULL: the table is full of online users. */
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

/* Depends on the time alone, not on whether the timer has already run. */
static bool is_online(const pl_presence_t *presence, const entry_t *entry, int64_t now_ms)
{
    return entry->state == OPEN ||
           (entry->state == GRACE && now_ms - entry->seen_ms < presence->timeout_ms);
}

static void record_sign(entry_t *entry, int64_t now_ms)
{
    entry->seen_ms = now_ms;
    entry->seen_us = pl_clock_now_us();
}

/* ---- the public functions ---- */

/* Notifies the watchers in this process. Other servers will be notified from here too. */
void pl_presence_notify_watchers(pl_presence_t *presence, int64_t user_id)
{
    pl_hub_send_event(presence->watchers, user_id, &(pl_event_t){.name = "presence", .json = ""});
}

/* Handles a sign of life; `opened` is the number of streams and long-polls that it opens. */
static int handle_sign(pl_presence_t *presence, int64_t user_id, uint32_t opened, int64_t now_ms)
{
    bool was_online = false;

    pthread_mutex_lock(&presence->lock);
    entry_t *entry = find_or_add(presence, user_id);
    if (entry != NULL) {
        was_online = is_online(presence, entry, now_ms);
        entry->open += opened;
        record_sign(entry, now_ms);
        set_state(presence, entry, entry->open > 0 ? OPEN : GRACE);
    }
    pthread_mutex_unlock(&presence->lock);
    if (entry == NULL)
        return -1;
    if (!was_online)
        pl_presence_notify_watchers(presence, user_id);
    return 0;
}

int pl_presence_enter(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    return handle_sign(presence, user_id, 1, now_ms);
}

int pl_presence_announce(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    return handle_sign(presence, user_id, 0, now_ms);
}

void pl_presence_leave(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    pthread_mutex_lock(&presence->lock);
    entry_t *entry = find(presence, user_id);
    assert(entry != NULL && entry->open > 0);
    record_sign(entry, now_ms);
    if (--entry->open == 0)
        set_state(presence, entry, GRACE);
    pthread_mutex_unlock(&presence->lock);
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

/* Makes up to EXPIRE_AT_ONCE users OFFLINE whose time is over, and returns how many they are. */
static size_t take_expired(pl_presence_t *presence, int64_t now_ms, int64_t users[EXPIRE_AT_ONCE])
{
    size_t count = 0;

    pthread_mutex_lock(&presence->lock);
    while (count < EXPIRE_AT_ONCE && !h2o_linklist_is_empty(&presence->grace)) {
        entry_t *entry = H2O_STRUCT_FROM_MEMBER(entry_t, link, presence->grace.next);
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
            pl_presence_notify_watchers(presence, users[i]);
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
