/*
 * streamUpdates: the mailbox's deltas as server-sent events.
 *
 * A stream asks for the next delta when the client's socket has taken the last one. So it holds at
 * most one delta. A client that stops reading is closed by the stall timer, and reads the rest from
 * the database when it returns. Ephemeral events are written between the deltas, without an id.
 *
 * If the client gives no cursor, the response begins when the mailbox's version has been read, with
 * that version as the cursor. So the client gets every message that is sent after it has received
 * the response's headers.
 */
#include "api/event_stream.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/handlers.h"
#include "api/ids_input.h"
#include "api/pages.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/random.h"
#include "core/presence_watch.h"
#include "http/problem.h"
#include "http/share.h"
#include "http/stream.h"
#include "push/metrics.h"

#define PAGE_SIZE 50

typedef struct event_stream {
    h2o_linklist_t link;
    pl_updates_t *updates;
    pl_request_t *request; /* until the stream is open */
    pl_stream_t *stream;   /* NULL: not yet */
    pl_follower_t *follower;
    pl_presence_watch_t *watch; /* NULL: the client watches no presence */
    pl_token_claims_t claims;
    bool is_present; /* counts for the user's presence */
} event_stream_t;

/* Removes the stream from everything that would write to it. Runs before the stream ends, because
 * an ending stream accepts no more writes. */
static void unregister(event_stream_t *self)
{
    if (self->is_present)
        pl_updates_leave(self->updates, pl_follower_user_id(self->follower));
    self->is_present = false;
    pl_presence_watch_destroy(&self->watch);
    pl_follower_destroy(&self->follower);
}

static void destroy(event_stream_t *self)
{
    h2o_linklist_unlink(&self->link);
    unregister(self);
    if (self->request != NULL)
        pl_request_on_gone(self->request, NULL, NULL);
    pl_request_unref(&self->request);
    free(self);
}

static void on_closed(pl_stream_t *stream, pl_stream_reason_t reason, void *owner)
{
    (void)stream;
    (void)reason;
    destroy(owner);
}

static void append_event(void *out, const pl_event_t *event)
{
    pl_buffer_append_text(out, "event: ");
    pl_buffer_append_text(out, event->name);
    pl_buffer_append_text(out, "\ndata: ");
    pl_buffer_append(out, event->json, event->len);
    pl_buffer_append(out, "\n\n", 2);
}

/* A slow stream gets the changes in on_drained, when it has taken all other bytes. They must not be
 * dropped: the client would show an old state for ever. */
static void on_presence_changed(void *owner)
{
    event_stream_t *self = owner;
    pl_buffer_t changes = PL_BUFFER_EMPTY;

    if (self->stream == NULL || pl_stream_queued(self->stream) > 0)
        return;
    pl_presence_watch_take(self->watch, append_event, &changes);
    if (changes.len > 0)
        (void)!pl_stream_write(self->stream, changes.data, changes.len);
    pl_buffer_dispose(&changes);
}

static void on_drained(pl_stream_t *stream, void *owner)
{
    event_stream_t *self = owner;
    (void)stream;
    pl_follower_next(self->follower);
    if (self->watch != NULL)
        on_presence_changed(self);
}

/* A random time for each client, so that clients that lose their server do not return all at
 * once. */
static void append_retry(pl_buffer_t *out, const pl_config_t *config)
{
    pl_buffer_appendf(
        out, "retry: %lld\n\n",
        (long long)pl_random_between(config->push.retry_min_ms, config->push.retry_max_ms));
}

static void append_delta(pl_buffer_t *out, const char *json, size_t len, int64_t cursor)
{
    static const char head[] = "event: delta\nid: ";
    /* The same Delta as in a long-poll's answer, with the event's name as its `type`. */
    static const char data[] = "\ndata: {\"type\":\"delta\",";
    char id[PL_ID_TEXT_SIZE];
    size_t id_len = pl_id_format(id, cursor);

    pl_buffer_reserve(out, sizeof(head) + sizeof(data) + id_len + len + 2);
    pl_buffer_append(out, head, sizeof(head) - 1);
    pl_buffer_append(out, id, id_len);
    pl_buffer_append(out, data, sizeof(data) - 1);
    pl_buffer_append(out, json + 1, len - 1);
    pl_buffer_append(out, "\n\n", 2);
}

/* Begins the response, with a first delta or with none (`json` NULL). Frees `self` if the client
 * has left. */
static void open_stream(event_stream_t *self, const char *json, size_t len, int64_t cursor)
{
    pl_buffer_t first = PL_BUFFER_EMPTY;

    append_retry(&first, self->updates->api->config);
    if (json != NULL)
        append_delta(&first, json, len, cursor);
    pl_request_on_gone(self->request, NULL, NULL);
    self->stream = pl_stream_start(self->request, "text/event-stream", first.data, first.len,
                                   on_closed, self);
    pl_buffer_dispose(&first);
    if (self->stream == NULL) {
        destroy(self);
        return;
    }
    pl_request_unref(&self->request);
    pl_stream_on_drained(self->stream, on_drained);
    if (self->watch != NULL)
        pl_presence_watch_check(self->watch);
}

static void on_delta(void *owner, const pl_delta_t *delta)
{
    event_stream_t *self = owner;
    pl_buffer_t event = PL_BUFFER_EMPTY;

    if (self->stream == NULL) {
        open_stream(self, delta->json, delta->len, delta->cursor);
        return;
    }
    append_delta(&event, delta->json, delta->len, delta->cursor);
    if (self->watch != NULL)
        pl_presence_watch_mailbox_changed(self->watch);
    /* If it fails, on_closed has freed `self`. */
    (void)!pl_stream_write(self->stream, event.data, event.len);
    pl_buffer_dispose(&event);
}

/* Gives a cursor at once to a client that came without one. Otherwise a client whose connection
 * ends before its first event would have no cursor, and would miss the messages sent meanwhile. */
static void on_waiting(void *owner, int64_t cursor)
{
    event_stream_t *self = owner;
    pl_buffer_t json = PL_BUFFER_EMPTY;

    if (self->stream != NULL)
        return;
    pl_empty_delta_to_json(&json, cursor);
    open_stream(self, json.data, json.len, cursor);
    pl_buffer_dispose(&json);
}

static void end(event_stream_t *self)
{
    pl_buffer_t last = PL_BUFFER_EMPTY;

    unregister(self);
    append_retry(&last, self->updates->api->config);
    pl_stream_end(self->stream, last.data, last.len);
    pl_buffer_dispose(&last);
}

static void on_error(void *owner, enum pl_error_code error)
{
    event_stream_t *self = owner;

    if (self->stream == NULL) {
        pl_updates_reply_error(self->request, error);
        destroy(self);
    } else if (error == PL_ERROR_INVALID) {
        end(self);
    }
    /* Otherwise the database is unreachable: the stream stays open, and the next heartbeat reads
     * again. */
}

/* Ends the stream if its session has ended. True: it has, and the stream may be gone. */
static bool recheck(event_stream_t *self)
{
    pl_outcome_t outcome;

    if (!pl_updates_is_ended(self->updates, &self->claims, &outcome))
        return false;
    if (self->stream != NULL) {
        end(self);
    } else {
        pl_api_reply_outcome(self->request, &outcome);
        destroy(self);
    }
    return true;
}

static void on_recheck(void *owner)
{
    (void)recheck(owner);
}

/* The stream of a session outlives its access token; another one ends with its token. */
static bool is_expired(const event_stream_t *self)
{
    return self->claims.session_id == 0 && self->claims.expires_s <= (int64_t)time(NULL);
}

static void on_heartbeat(void *owner)
{
    event_stream_t *self = owner;

    if (recheck(self) || self->stream == NULL)
        return;
    if (is_expired(self)) {
        end(self);
        return;
    }
    if (self->watch != NULL)
        pl_presence_watch_check(self->watch);
    if (pl_stream_queued(self->stream) > 0)
        return; /* it reads slowly: on_drained asks for the next delta */
    pl_follower_next(self->follower);
    (void)!pl_stream_write(self->stream, ":\n\n", 3);
}

/* An ephemeral event is dropped if the stream cannot take it at once. */
static void on_event(void *owner, const pl_event_t *event)
{
    event_stream_t *self = owner;
    bool is_ready = self->stream != NULL && pl_stream_queued(self->stream) == 0;
    pl_buffer_t text = PL_BUFFER_EMPTY;

    pl_push_metrics_event(is_ready);
    if (!is_ready)
        return;
    append_event(&text, event);
    (void)!pl_stream_write(self->stream, text.data, text.len);
    pl_buffer_dispose(&text);
}

static const pl_follower_callbacks_t callbacks = {
    .on_delta = on_delta,
    .on_waiting = on_waiting,
    .on_error = on_error,
    .on_heartbeat = on_heartbeat,
    .on_event = on_event,
    .on_recheck = on_recheck,
};

static void on_gone(pl_request_t *request, void *owner)
{
    (void)request;
    destroy(owner);
}

/* `watch`: the peers whose presence the client watches, if any. -1: there are too many waiters or
 * too many watched users. */
static int register_all(event_stream_t *self, int64_t cursor, const pl_conversations_check_t *watch)
{
    pl_updates_t *updates = self->updates;

    self->follower = pl_follower_create(&updates->follow, watch->user_id, cursor, PAGE_SIZE,
                                        &callbacks, self);
    if (self->follower == NULL)
        return -1;
    if (watch->count == 0)
        return 0;
    self->watch = pl_presence_watch_create(updates->api->core, watch, on_presence_changed, self);
    if (self->watch != NULL)
        return 0;
    unregister(self);
    return -1;
}

static void start(pl_updates_t *updates, pl_request_t *request, int64_t cursor,
                  const pl_conversations_check_t *watch)
{
    const pl_token_claims_t *claims = pl_request_claims(request);
    event_stream_t *self = pl_calloc(1, sizeof(*self));

    self->updates = updates;
    self->claims = *claims;
    if (register_all(self, cursor, watch) != 0) {
        free(self);
        pl_updates_reply_too_many(request);
        return;
    }
    self->request = pl_request_ref(request);
    self->is_present = pl_updates_enter(updates, claims->user_id);
    h2o_linklist_insert(&updates->streams, &self->link);
    /* It may have ended before the follower could be told. */
    if (recheck(self))
        return;
    if (cursor != PL_FOLLOW_FROM_NOW) {
        open_stream(self, NULL, 0, 0);
        return;
    }
    pl_request_on_gone(request, on_gone, self);
    pl_request_hold(request);
    pl_follower_next(self->follower);
}

/* The header Last-Event-ID has priority over the query: a browser that reconnects sends it with the
 * URL of its first connection, whose cursor is older. */
static int read_input(pl_request_t *request, int64_t *cursor_r, pl_conversations_check_t *watch)
{
    pl_query_parameter_t query[] = {{.name = "lastUpdatedTimestamp"},
                                    {.name = "presence", .is_list = true}};
    pl_slice_t last_event_id = pl_request_header(request, "last-event-id");

    if (pl_request_query(request, query, 2) != 0 ||
        pl_pages_decode_cursor(request, &query[0], PL_FOLLOW_FROM_NOW, cursor_r) != 0)
        return -1;
    if (query[1].value.data != NULL &&
        pl_ids_input_decode(request, &query[1], PL_CONVERSATIONS_CHECK_MAX, watch->peers,
                            &watch->count) != 0)
        return -1;
    if (last_event_id.len == 0)
        return 0;
    if (pl_decimal_parse(last_event_id.data, last_event_id.len, PL_CURSOR_MAX, cursor_r) != 0) {
        pl_problem_reply(request, PL_PROBLEM_MALFORMED_REQUEST,
                         "Last-Event-ID is not an id of this stream.");
        return -1;
    }
    return 0;
}

void pl_on_stream_updates(pl_request_t *request, void *worker)
{
    pl_updates_t *updates = ((pl_api_t *)worker)->updates;
    pl_conversations_check_t watch = {.user_id = pl_request_claims(request)->user_id};
    int64_t cursor;

    if (read_input(request, &cursor, &watch) != 0)
        return;
    if (!pl_updates_admit(updates, request) || pl_share_take(request, PL_SHARE_WAITERS, 1) != 0 ||
        (watch.count > 0 && pl_share_take(request, PL_SHARE_WATCHED, watch.count) != 0))
        return;
    pl_updates_note_cursor(updates, watch.user_id, cursor);
    start(updates, request, cursor, &watch);
}

void pl_event_stream_drain(pl_updates_t *updates)
{
    h2o_linklist_t ending;

    /* A stream that has bytes in flight ends later, and stays in the list until then. */
    h2o_linklist_init_anchor(&ending);
    h2o_linklist_insert_list(&ending, &updates->streams);
    while (!h2o_linklist_is_empty(&ending)) {
        event_stream_t *self = H2O_STRUCT_FROM_MEMBER(event_stream_t, link, ending.next);
        h2o_linklist_unlink(&self->link);
        h2o_linklist_insert(&updates->streams, &self->link);
        if (self->stream != NULL) {
            end(self);
        } else {
            pl_api_reply_shutting_down(self->request);
            destroy(self);
        }
    }
}
