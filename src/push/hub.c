#include "push/hub.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "push/commit_delta.h"

/* 256 KiB of counters. With 20,000 waiting users the counter of another user is zero in three cases
 * of four. */
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

/* A notice is posted to every loop: the wake-ups of one batch, an ephemeral event, or that a user's
 * sessions have ended. The loop that handles it last frees it. */
typedef struct notice notice_t;
typedef struct delivery {
    pl_task_t task;
    notice_t *notice;
    pl_hub_local_t *local;
} delivery_t;

struct notice {
    atomic_size_t references; /* loops that have not handled it yet */
    void (*handle)(pl_hub_local_t *local, const notice_t *notice);
    /* Wake-ups. */
    pl_commit_deltas_t deltas;
    int64_t user_id; /* of an event, or of ended sessions */
    /* Its JSON is behind the deliveries. */
    pl_event_t event;
    delivery_t deliveries[];
};

static size_t interest_index(int64_t user_id)
{
    return pl_hash_id(user_id) % INTEREST_SIZE;
}

bool pl_hub_may_have_waiter(const pl_hub_t *hub, int64_t user_id)
{
    return atomic_load(&hub->interest[interest_index(user_id)]) > 0;
}

static bool may_have_waiter(void *arg, int64_t user_id)
{
    return pl_hub_may_have_waiter(arg, user_id);
}

static h2o_linklist_t *bucket_of(const pl_hub_local_t *local, int64_t user_id)
{
    return &local->buckets[(pl_hash_id(user_id) >> 16) & (local->buckets_count - 1)];
}

static void call_on_wake(pl_waiter_t *waiter, const void *arg)
{
    waiter->callbacks->on_wake(waiter, arg);
}

static void call_on_event(pl_waiter_t *waiter, const void *arg)
{
    const notice_t *notice = arg;
    waiter->callbacks->on_event(waiter, &notice->event);
}

static void call_on_recheck(pl_waiter_t *waiter, const void *arg)
{
    (void)arg;
    if (waiter->callbacks->on_recheck != NULL)
        waiter->callbacks->on_recheck(waiter);
}

/* Calls `call` for each waiter of user_id on this loop. */
static void call_waiters(pl_hub_local_t *local, int64_t user_id,
                         void (*call)(pl_waiter_t *waiter, const void *arg), const void *arg)
{
    h2o_linklist_t *bucket = bucket_of(local, user_id);
    h2o_linklist_t pending;

    assert(pl_loop_is_own(local->loop));
    /* First move them to a list of their own: a callback may remove its waiter or others, and may
     * register again. */
    h2o_linklist_init_anchor(&pending);
    for (h2o_linklist_t *node = bucket->next; node != bucket;) {
        pl_waiter_t *waiter = H2O_STRUCT_FROM_MEMBER(pl_waiter_t, link, node);
        node = node->next;
        if (waiter->user_id == user_id) {
            h2o_linklist_unlink(&waiter->link);
            h2o_linklist_insert(&pending, &waiter->link);
        }
    }
    while (!h2o_linklist_is_empty(&pending)) {
        pl_waiter_t *waiter = H2O_STRUCT_FROM_MEMBER(pl_waiter_t, link, pending.next);
        h2o_linklist_unlink(&waiter->link);
        h2o_linklist_insert(bucket_of(local, waiter->user_id), &waiter->link);
        call(waiter, arg);
    }
}

static void handle_wakes(pl_hub_local_t *local, const notice_t *notice)
{
    for (size_t i = 0; i < notice->deltas.count; i++) {
        pl_wake_t wake;
        pl_commit_deltas_get(&notice->deltas, i, &wake);
        call_waiters(local, wake.user_id, call_on_wake, &wake);
    }
}

static void handle_event(pl_hub_local_t *local, const notice_t *notice)
{
    call_waiters(local, notice->user_id, call_on_event, notice);
}

static void handle_recheck(pl_hub_local_t *local, const notice_t *notice)
{
    call_waiters(local, notice->user_id, call_on_recheck, NULL);
}

static void on_delivery(pl_task_t *task)
{
    delivery_t *delivery = H2O_STRUCT_FROM_MEMBER(delivery_t, task, task);
    notice_t *notice = delivery->notice;

    notice->handle(delivery->local, notice);
    size_t references = atomic_fetch_sub(&notice->references, 1);
    assert(references > 0);
    if (references == 1) {
        pl_commit_deltas_dispose(&notice->deltas);
        free(notice);
    }
}

static size_t notice_size(const pl_hub_t *hub)
{
    return sizeof(notice_t) + hub->locals_count * sizeof(delivery_t);
}

/* Has room for an event's JSON of `len` bytes behind it. */
static notice_t *notice_create(const pl_hub_t *hub, size_t len)
{
    return pl_calloc(1, notice_size(hub) + len);
}

static void notice_post(pl_hub_t *hub, notice_t *notice)
{
    atomic_init(&notice->references, hub->locals_count);
    for (size_t i = 0; i < hub->locals_count; i++) {
        delivery_t *delivery = &notice->deliveries[i];
        delivery->task.run = on_delivery;
        delivery->notice = notice;
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
    pl_commit_deltas_build(&deltas, writes, count, may_have_waiter, hub);
    if (deltas.count == 0) {
        pl_commit_deltas_dispose(&deltas);
        return;
    }
    notice_t *notice = notice_create(hub, 0);
    notice->handle = handle_wakes;
    notice->deltas = deltas;
    notice_post(hub, notice);
}

static void on_change(pl_commit_listener_t *listener, const pl_mailbox_wake_t *wakes, size_t count)
{
    pl_hub_t *hub = H2O_STRUCT_FROM_MEMBER(pl_hub_t, listener, listener);

    if (atomic_load(&hub->waiters) == 0)
        return;
    notice_t *notice = notice_create(hub, 0);
    notice->handle = handle_wakes;
    pl_commit_deltas_from_wakes(&notice->deltas, wakes, count, may_have_waiter, hub);
    notice_post(hub, notice);
}

void pl_hub_send_event(pl_hub_t *hub, int64_t user_id, const pl_event_t *event)
{
    if (!pl_hub_may_have_waiter(hub, user_id))
        return;
    notice_t *notice = notice_create(hub, event->len);
    notice->handle = handle_event;
    notice->user_id = user_id;
    notice->event = *event;
    notice->event.json = memcpy((char *)notice + notice_size(hub), event->json, event->len);
    notice_post(hub, notice);
}

void pl_hub_recheck(pl_hub_t *hub, int64_t user_id)
{
    if (!pl_hub_may_have_waiter(hub, user_id))
        return;
    notice_t *notice = notice_create(hub, 0);
    notice->handle = handle_recheck;
    notice->user_id = user_id;
    notice_post(hub, notice);
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
    assert((size_t)pl_loop_index(loop) < hub->locals_count);
    return &hub->locals[pl_loop_index(loop)];
}

pl_loop_t *pl_hub_local_loop(const pl_hub_local_t *local)
{
    return local->loop;
}

pl_hub_t *pl_hub_local_hub(const pl_hub_local_t *local)
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

    assert(pl_loop_is_own(local->loop) && !h2o_linklist_is_linked(&waiter->link));
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
    assert(pl_loop_is_own(local->loop) && local->count > 0);
    h2o_linklist_unlink(&waiter->link);
    local->count--;
    unsigned interest = atomic_fetch_sub(&hub->interest[interest_index(waiter->user_id)], 1);
    size_t waiters = atomic_fetch_sub(&hub->waiters, 1);
    assert(interest > 0 && waiters > 0);
}

size_t pl_hub_waiters(const pl_hub_t *hub)
{
    return atomic_load_explicit(&hub->waiters, memory_order_relaxed);
}
