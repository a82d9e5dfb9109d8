#include "db/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

struct pl_queue_user {
    h2o_linklist_t link; /* in turns or rested */
    h2o_linklist_t ops;  /* never empty */
    int64_t user_id;
    uint64_t batch;        /* that `weight` is of */
    size_t weight;         /* of what that batch has taken */
    pl_queue_user_t *next; /* in the bucket, or in `unused` */
};

static pl_op_t *first_of(const h2o_linklist_t *list)
{
    return H2O_STRUCT_FROM_MEMBER(pl_op_t, link, list->next);
}

static pl_queue_user_t *user_of(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(pl_queue_user_t, link, link);
}

void pl_queue_init(pl_queue_t *queue, bool takes_turns)
{
    *queue = (pl_queue_t){.takes_turns = takes_turns};
    h2o_linklist_init_anchor(&queue->again);
    h2o_linklist_init_anchor(&queue->turns);
    h2o_linklist_init_anchor(&queue->rested);
}

static void free_users(pl_queue_user_t *user)
{
    while (user != NULL) {
        pl_queue_user_t *next = user->next;
        free(user);
        user = next;
    }
}

void pl_queue_dispose(pl_queue_t *queue)
{
    free_users(queue->unused);
    for (size_t i = 0; i < PL_QUEUE_BUCKETS; i++)
        free_users(queue->buckets[i]);
}

bool pl_queue_is_empty(pl_queue_t *queue)
{
    return h2o_linklist_is_empty(&queue->again) && h2o_linklist_is_empty(&queue->turns) &&
           h2o_linklist_is_empty(&queue->rested);
}

/* ---- users ---- */

/* The link to the user in the bucket, or the end of the bucket. */
static pl_queue_user_t **find(pl_queue_t *queue, int64_t user_id)
{
    pl_queue_user_t **place = &queue->buckets[pl_hash_id(user_id) % PL_QUEUE_BUCKETS];

    while (*place != NULL && (*place)->user_id != user_id)
        place = &(*place)->next;
    return place;
}

/* The user who comes first has the first turn after those who are there. */
static pl_queue_user_t *add_user(pl_queue_t *queue, pl_queue_user_t **place, int64_t user_id)
{
    pl_queue_user_t *user = queue->unused;

    if (user != NULL)
        queue->unused = user->next;
    else
        user = pl_malloc(sizeof(*user));
    *user = (pl_queue_user_t){.user_id = user_id};
    h2o_linklist_init_anchor(&user->ops);
    h2o_linklist_insert(&queue->turns, &user->link);
    *place = user;
    return user;
}

static void remove_if_done(pl_queue_t *queue, pl_queue_user_t *user)
{
    if (!h2o_linklist_is_empty(&user->ops))
        return;
    h2o_linklist_unlink(&user->link);
    *find(queue, user->user_id) = user->next;
    user->next = queue->unused;
    queue->unused = user;
}

/* ---- operations ---- */

void pl_queue_add(pl_queue_t *queue, pl_op_t *op)
{
    int64_t user_id = queue->takes_turns ? op->user_id : 0;
    pl_queue_user_t **place = find(queue, user_id);
    pl_queue_user_t *user = *place != NULL ? *place : add_user(queue, place, user_id);

    h2o_linklist_insert(&user->ops, &op->link);
}

void pl_queue_add_first(pl_queue_t *queue, pl_op_t *op)
{
    h2o_linklist_insert(queue->again.next, &op->link);
}

void pl_queue_begin_batch(pl_queue_t *queue)
{
    queue->batch++;
    h2o_linklist_insert_list(&queue->turns, &queue->rested);
}

pl_op_t *pl_queue_first(pl_queue_t *queue)
{
    if (!h2o_linklist_is_empty(&queue->again))
        return first_of(&queue->again);
    if (!h2o_linklist_is_empty(&queue->turns))
        return first_of(&user_of(queue->turns.next)->ops);
    return NULL;
}

/* The user's turn is over. */
static void end_turn(pl_queue_t *queue, pl_queue_user_t *user, size_t weight)
{
    if (user->batch != queue->batch)
        user->weight = 0;
    user->batch = queue->batch;
    user->weight += weight;
    h2o_linklist_unlink(&user->link);
    h2o_linklist_insert(user->weight < PL_BATCH_USER_WEIGHT_MAX ? &queue->turns : &queue->rested,
                        &user->link);
}

void pl_queue_take(pl_queue_t *queue, size_t weight)
{
    pl_op_t *op = pl_queue_first(queue);
    bool is_again = !h2o_linklist_is_empty(&queue->again);
    pl_queue_user_t *user = is_again ? NULL : user_of(queue->turns.next);

    h2o_linklist_unlink(&op->link);
    if (user == NULL)
        return;
    if (queue->takes_turns)
        end_turn(queue, user, weight);
    remove_if_done(queue, user);
}

/* ---- expired ones ---- */

static void take_expired_of(h2o_linklist_t *ops, uint64_t now_ms, h2o_linklist_t *expired)
{
    for (h2o_linklist_t *node = ops->next; node != ops;) {
        pl_op_t *op = H2O_STRUCT_FROM_MEMBER(pl_op_t, link, node);
        node = node->next;
        if (now_ms < op->deadline_ms && !op->abandoned)
            continue;
        h2o_linklist_unlink(&op->link);
        h2o_linklist_insert(expired, &op->link);
    }
}

static void take_expired_of_users(pl_queue_t *queue, h2o_linklist_t *users, uint64_t now_ms,
                                  h2o_linklist_t *expired)
{
    for (h2o_linklist_t *node = users->next; node != users;) {
        pl_queue_user_t *user = user_of(node);
        node = node->next;
        take_expired_of(&user->ops, now_ms, expired);
        remove_if_done(queue, user);
    }
}

void pl_queue_take_expired(pl_queue_t *queue, uint64_t now_ms, h2o_linklist_t *expired)
{
    take_expired_of(&queue->again, now_ms, expired);
    take_expired_of_users(queue, &queue->turns, now_ms, expired);
    take_expired_of_users(queue, &queue->rested, now_ms, expired);
}
