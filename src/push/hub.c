#include "push/hub.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "push/commit_delta.h"

/* 256 KiB of counters. With 20,000 users waiting three in four other users find their counter at
 * zero. */
#define INTEREST_SIZE 65536
#define BUCKETS_MIN 256

struct pl_hub_local {
    pl_hub_t *hub;
    pl_loop_t *loop;
    h2o_linklist_t *buckets;
    size_t buckets_count; /* a power of two */
    size_t count;
};

struct pl_hub {
    pl_commit_listener_t listener;
    size_t max_waiters;
    size_t max_waiters_per_user;
    atomic_size_t waiters;
    pl_hub_local_t *locals;
    size_t locals_count;
    atomic_uint interest[INTEREST_SIZE];
};

/* What is on its way to every loop: one batch's wake-ups, or an ephemeral event. Freed by the last.
 */
typedef struct parcel parcel_t;
typedef struct delivery {
    pl_task_t task;
    parcel_t *parcel;
    pl_hub_local_t *local;
} delivery_t;

struct parcel {
    atomic_size_t references;
    void (*tell)(pl_hub_local_t *local, const parcel_t *parcel);
    pl_commit_deltas_t deltas;
    /* The event, whose JSON is behind the deliveries. */
    int64_t user_id;
    pl_event_t event;
    delivery_t deliveries[];
};

static size_t interest_index(int64_t user_id)
{
    return pl_hash_id(user_id) % INTEREST_SIZE;
}

bool pl_hub_is_awaited(const pl_hub_t *hub, int64_t user_id)
{
    return atomic_load(&hub->interest[interest_index(user_id)]) > 0;
}

static bool is_awaited(void *arg, int64_t user_id)
{
    return pl_hub_is_awaited(arg, user_id);
}

static h2o_linklist_t *bucket_of(const pl_hub_local_t *local, int64_t user_id)
{
    return &local->buckets[(pl_hash_id(user_id) >> 16) & (local->buckets_count - 1)];
}

static void tell_wake(pl_waiter_t *waiter, const void *what)
{
    waiter->callbacks->on_wake(waiter, what);
}

static void tell_event(pl_waiter_t *waiter, const void *what)
{
    const parcel_t *parcel = what;
    waiter->callbacks->on_event(waiter, &parcel->event);
}

/* Tells each waiter of user_id on this loop. */
static void tell_local(pl_hub_local_t *local, int64_t user_id,
                       void (*tell)(pl_waiter_t *waiter, const void *what), const void *what)
{
    h2o_linklist_t *bucket = bucket_of(local, user_id);
    h2o_linklist_t told;

    /* Off to a list of its own first: a waiter may remove itself or its neighbour, and may register
     * again. */
    h2o_linklist_init_anchor(&told);
    for (h2o_linklist_t *node = bucket->next; node != bucket;) {
        pl_waiter_t *waiter = H2O_STRUCT_FROM_MEMBER(pl_waiter_t, link, node);
        node = node->next;
        if (waiter->user_id == user_id) {
            h2o_linklist_unlink(&waiter->link);
            h2o_linklist_insert(&told, &waiter->link);
        }
    }
    while (!h2o_linklist_is_empty(&told)) {
        pl_waiter_t *waiter = H2O_STRUCT_FROM_MEMBER(pl_waiter_t, link, told.next);
        h2o_linklist_unlink(&waiter->link);
        h2o_linklist_insert(bucket_of(local, waiter->user_id), &waiter->link);
        tell(waiter, what);
    }
}

static void tell_wakes(pl_hub_local_t *local, const parcel_t *parcel)
{
    for (size_t i = 0; i < parcel->deltas.count; i++) {
        pl_wake_t wake;
        pl_commit_deltas_get(&parcel->deltas, i, &wake);
        tell_local(local, wake.user_id, tell_wake, &wake);
    }
}

static void tell_events(pl_hub_local_t *local, const parcel_t *parcel)
{
    tell_local(local, parcel->user_id, tell_event, parcel);
}

static void on_delivery(pl_task_t *task)
{
    delivery_t *delivery = H2O_STRUCT_FROM_MEMBER(delivery_t, task, task);
    parcel_t *parcel = delivery->parcel;

    parcel->tell(delivery->local, parcel);
    if (atomic_fetch_sub(&parcel->references, 1) == 1) {
        pl_commit_deltas_dispose(&parcel->deltas);
        free(parcel);
    }
}

static size_t parcel_size(const pl_hub_t *hub)
{
    return sizeof(parcel_t) + hub->locals_count * sizeof(delivery_t);
}

/* With room for an event's JSON of `len` bytes behind it. */
static parcel_t *parcel_create(const pl_hub_t *hub, size_t len)
{
    return pl_calloc(1, parcel_size(hub) + len);
}

static void send_parcel(pl_hub_t *hub, parcel_t *parcel)
{
    atomic_init(&parcel->references, hub->locals_count);
    for (size_t i = 0; i < hub->locals_count; i++) {
        delivery_t *delivery = &parcel->deliveries[i];
        delivery->task.run = on_delivery;
        delivery->parcel = parcel;
        delivery->local = &hub->locals[i];
        pl_loop_post(delivery->local->loop, &delivery->task);
    }
}

static void on_commit(pl_commit_listener_t *listener, pl_op_t *const *writes, size_t count)
{
    pl_hub_t *hub = H2O_STRUCT_FROM_MEMBER(pl_hub_t, listener, listener);
    pl_commit_deltas_t deltas;

    if (atomic_load(&hub->waiters) == 0)
        return;
    pl_commit_deltas_build(&deltas, writes, count, is_awaited, hub);
    if (deltas.count == 0) {
        pl_commit_deltas_dispose(&deltas);
        return;
    }
    parcel_t *parcel = parcel_create(hub, 0);
    parcel->tell = tell_wakes;
    parcel->deltas = deltas;
    send_parcel(hub, parcel);
}

static void on_change(pl_commit_listener_t *listener, const pl_mailbox_wake_t *wakes, size_t count)
{
    pl_hub_t *hub = H2O_STRUCT_FROM_MEMBER(pl_hub_t, listener, listener);

    if (atomic_load(&hub->waiters) == 0)
        return;
    parcel_t *parcel = parcel_create(hub, 0);
    parcel->tell = tell_wakes;
    pl_commit_deltas_from_wakes(&parcel->deltas, wakes, count, is_awaited, hub);
    send_parcel(hub, parcel);
}

void pl_hub_tell(pl_hub_t *hub, int64_t user_id, const pl_event_t *event)
{
    if (!pl_hub_is_awaited(hub, user_id))
        return;
    parcel_t *parcel = parcel_create(hub, event->len);
    parcel->tell = tell_events;
    parcel->user_id = user_id;
    parcel->event = *event;
    parcel->event.json = memcpy((char *)parcel + parcel_size(hub), event->json, event->len);
    send_parcel(hub, parcel);
}

static h2o_linklist_t *create_buckets(size_t count)
{
    h2o_linklist_t *buckets = pl_calloc(count, sizeof(*buckets));
    for (size_t i = 0; i < count; i++)
        h2o_linklist_init_anchor(&buckets[i]);
    return buckets;
}

static void grow(pl_hub_local_t *local)
{
    h2o_linklist_t *old = local->buckets;
    size_t old_count = local->buckets_count;

    local->buckets_count *= 2;
    local->buckets = create_buckets(local->buckets_count);
    for (size_t i = 0; i < old_count; i++)
        while (!h2o_linklist_is_empty(&old[i])) {
            pl_waiter_t *waiter = H2O_STRUCT_FROM_MEMBER(pl_waiter_t, link, old[i].next);
            h2o_linklist_unlink(&waiter->link);
            h2o_linklist_insert(bucket_of(local, waiter->user_id), &waiter->link);
        }
    free(old);
}

pl_hub_t *pl_hub_create(pl_loop_t *const *loops, size_t loops_count, size_t max_waiters,
                        size_t max_waiters_per_user)
{
    pl_hub_t *hub = pl_calloc(1, sizeof(*hub));
    hub->listener.on_commit = on_commit;
    hub->listener.on_change = on_change;
    hub->max_waiters = max_waiters;
    hub->max_waiters_per_user = max_waiters_per_user;
    hub->locals_count = loops_count;
    hub->locals = pl_calloc(loops_count, sizeof(pl_hub_local_t));
    for (size_t i = 0; i < loops_count; i++)
        hub->locals[i] = (pl_hub_local_t){.hub = hub,
                                          .loop = loops[i],
                                          .buckets = create_buckets(BUCKETS_MIN),
                                          .buckets_count = BUCKETS_MIN};
    return hub;
}

pl_commit_listener_t *pl_hub_listener(pl_hub_t *hub)
{
    return &hub->listener;
}

pl_hub_local_t *pl_hub_local(pl_hub_t *hub, const pl_loop_t *loop)
{
    return &hub->locals[pl_loop_index(loop)];
}

pl_loop_t *pl_hub_local_loop(const pl_hub_local_t *local)
{
    return local->loop;
}

pl_hub_t *pl_hub_of(const pl_hub_local_t *local)
{
    return local->hub;
}

static size_t count_of_user(const pl_hub_local_t *local, int64_t user_id)
{
    const h2o_linklist_t *bucket = bucket_of(local, user_id);
    size_t count = 0;
    for (const h2o_linklist_t *node = bucket->next; node != bucket; node = node->next)
        count += H2O_STRUCT_FROM_MEMBER(pl_waiter_t, link, node)->user_id == user_id;
    return count;
}

int pl_hub_add(pl_hub_local_t *local, pl_waiter_t *waiter, int64_t user_id)
{
    pl_hub_t *hub = local->hub;

    if (atomic_load(&hub->waiters) >= hub->max_waiters ||
        (hub->max_waiters_per_user < SIZE_MAX &&
         count_of_user(local, user_id) >= hub->max_waiters_per_user))
        return -1;
    if (local->count >= local->buckets_count)
        grow(local);
    waiter->user_id = user_id;
    h2o_linklist_insert(bucket_of(local, user_id), &waiter->link);
    local->count++;
    atomic_fetch_add(&hub->interest[interest_index(user_id)], 1);
    atomic_fetch_add(&hub->waiters, 1);
    return 0;
}

void pl_hub_remove(pl_hub_local_t *local, pl_waiter_t *waiter)
{
    pl_hub_t *hub = local->hub;

    if (!h2o_linklist_is_linked(&waiter->link))
        return;
    h2o_linklist_unlink(&waiter->link);
    local->count--;
    atomic_fetch_sub(&hub->interest[interest_index(waiter->user_id)], 1);
    atomic_fetch_sub(&hub->waiters, 1);
}

size_t pl_hub_waiters(const pl_hub_t *hub)
{
    return atomic_load_explicit(&hub->waiters, memory_order_relaxed);
}
