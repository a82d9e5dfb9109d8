/*
 * fetchUpdates: answers as soon as there are changes, or without changes when the time is over.
 *
 * A poll ends in exactly one of these ways: with an answer (a delta, the time is over, an error, a
 * shutdown, the end of its session), or because its client leaves.
 */
#include "api/poll.h"

#include <stdlib.h>

#include "api/handlers.h"
#include "api/pages.h"
#include "base/memory.h"
#include "http/problem.h"
#include "http/share.h"
#include "loop/timer.h"

#define PAGE_SIZE_DEFAULT 50
#define TIMEOUT_DEFAULT_S 30

typedef struct poll {
    h2o_linklist_t link;
    const pl_updates_t *updates;
    pl_request_t *request;
    pl_follower_t *follower;
    pl_timer_t timer;
    bool waits;      /* false: answers at once, timeout=0 */
    bool is_present; /* counts for the user's presence */
} poll_t;

static void poll_end(poll_t *poll)
{
    h2o_linklist_unlink(&poll->link);
    pl_timer_disarm(&poll->timer);
    if (poll->is_present)
        pl_updates_leave(poll->updates, pl_follower_user_id(poll->follower));
    pl_follower_destroy(&poll->follower);
    pl_request_unref(&poll->request);
    free(poll);
}

static void reply(poll_t *poll, pl_buffer_t *body)
{
    const pl_reply_t head = {.status = 200, .cache = PL_CACHE_NO_STORE};
    pl_request_reply(poll->request, &head, body);
    poll_end(poll);
}

static void on_delta(void *owner, const pl_delta_t *delta)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_append(&body, delta->json, delta->len);
    reply(owner, &body);
}

/* Answers without changes. An error if the cursor is not known, because the mailbox has not been
 * read yet. */
static void reply_empty(poll_t *poll)
{
    int64_t cursor = pl_follower_cursor(poll->follower);
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (cursor == PL_FOLLOW_FROM_NOW) {
        if (poll->updates->draining)
            pl_api_reply_shutting_down(poll->request);
        else
            pl_updates_reply_error(poll->request, PL_ERROR_UNAVAILABLE);
        poll_end(poll);
        return;
    }
    pl_empty_delta_to_json(&body, cursor);
    reply(poll, &body);
}

static void on_waiting(void *owner, int64_t cursor)
{
    poll_t *poll = owner;
    (void)cursor;
    if (!poll->waits)
        reply_empty(poll);
}

static void on_error(void *owner, enum pl_error_code error)
{
    poll_t *poll = owner;
    pl_updates_reply_error(poll->request, error);
    poll_end(poll);
}

/* Ends the poll if its session has ended. True: it has, and the poll is gone. */
static bool recheck(poll_t *poll)
{
    pl_outcome_t outcome;

    if (!pl_updates_is_ended(poll->updates, pl_request_claims(poll->request), &outcome))
        return false;
    pl_api_reply_outcome(poll->request, &outcome);
    poll_end(poll);
    return true;
}

static void on_recheck(void *owner)
{
    (void)recheck(owner);
}

static const pl_follower_callbacks_t callbacks = {
    .on_delta = on_delta,
    .on_waiting = on_waiting,
    .on_error = on_error,
    .on_heartbeat = on_recheck,
    .on_recheck = on_recheck,
};

static void on_timeout(pl_timer_t *timer)
{
    reply_empty(H2O_STRUCT_FROM_MEMBER(poll_t, timer, timer));
}

static void on_gone(pl_request_t *request, void *owner)
{
    (void)request;
    poll_end(owner);
}

static void poll_start(pl_updates_t *updates, pl_request_t *request, int64_t cursor,
                       int32_t page_size, int64_t timeout_s)
{
    poll_t *poll = pl_calloc(1, sizeof(*poll));

    poll->follower = pl_follower_create(&updates->follow, pl_request_claims(request)->user_id,
                                        cursor, page_size, &callbacks, poll);
    if (poll->follower == NULL) {
        free(poll);
        pl_updates_reply_too_many(request);
        return;
    }
    poll->updates = updates;
    poll->request = pl_request_ref(request);
    poll->waits = timeout_s > 0;
    /* A poll that does not wait does not make the user online. */
    poll->is_present = poll->waits &&
                       pl_updates_enter(updates, pl_follower_user_id(poll->follower));
    poll->timer.on_fire = on_timeout;
    h2o_linklist_insert(&updates->polls, &poll->link);
    /* It may have ended before the follower could be told. */
    if (recheck(poll))
        return;
    pl_request_on_gone(request, on_gone, poll);
    pl_request_hold(request);
    if (poll->waits)
        pl_timer_arm(pl_timer_queue(updates->api->loop, (uint64_t)timeout_s * 1000), &poll->timer);
    pl_follower_next(poll->follower);
}

void pl_on_fetch_updates(pl_request_t *request, void *worker)
{
    pl_updates_t *updates = ((pl_api_t *)worker)->updates;
    pl_query_parameter_t query[] = {
        {.name = "lastUpdatedTimestamp"}, {.name = "pageSize"}, {.name = "timeout"}};
    int64_t cursor, page_size, timeout_s;

    if (pl_request_query(request, query, sizeof(query) / sizeof(query[0])) != 0 ||
        pl_pages_decode_cursor(request, &query[0], PL_FOLLOW_FROM_NOW, &cursor) != 0 ||
        pl_request_query_integer(request, &query[1], 1, PL_PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT,
                                 &page_size) != 0 ||
        pl_request_query_integer(request, &query[2], 0, PL_POLL_TIMEOUT_MAX_S, TIMEOUT_DEFAULT_S,
                                 &timeout_s) != 0)
        return;
    if (!pl_updates_admit(updates, request) || pl_share_take(request, PL_SHARE_WAITERS, 1) != 0)
        return;
    pl_updates_note_cursor(updates, pl_request_claims(request)->user_id, cursor);
    poll_start(updates, request, cursor, (int32_t)page_size, timeout_s);
}

void pl_poll_drain(pl_updates_t *updates)
{
    while (!h2o_linklist_is_empty(&updates->polls))
        reply_empty(H2O_STRUCT_FROM_MEMBER(poll_t, link, updates->polls.next));
}
