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
static void unregister(event_stream_t *events)
{
    if (events->is_present)
        pl_updates_leave(events->updates, pl_follower_user_id(events->follower));
    events->is_present = false;
    pl_presence_watch_destroy(&events->watch);
    pl_follower_destroy(&events->follower);
}

static void destroy(event_stream_t *events)
{
    h2o_linklist_unlink(&events->link);
    unregister(events);
    if (events->request != NULL)
        pl_request_on_gone(events->request, NULL, NULL);
    pl_request_unref(&events->request);
    free(events);
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
    event_stream_t *events = owner;
    pl_buffer_t changes = PL_BUFFER_EMPTY;

    if (events->stream == NULL || pl_stream_queued(events->stream) > 0)
        return;
    pl_presence_watch_take(events->watch, append_event, &changes);
    if (changes.len > 0)
        (void)!pl_stream_write(events->stream, changes.data, changes.len);
    pl_buffer_dispose(&changes);
}

static void on_drained(pl_stream_t *stream, void *owner)
{
    event_stream_t *events = owner;
    (void)stream;
    pl_follower_next(events->follower);
    if (events->watch != NULL)
        on_presence_changed(events);
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

/* Begins the response, with a first delta or with none (`json` NULL). Frees `events` if the client
 * has left. */
static void open_stream(event_stream_t *events, const char *json, size_t len, int64_t cursor)
{
    pl_buffer_t first = PL_BUFFER_EMPTY;

    append_retry(&first, events->updates->api->config);
    if (json != NULL)
        append_delta(&first, json, len, cursor);
    pl_request_on_gone(events->request, NULL, NULL);
    events->stream = pl_stream_start(events->request, "text/event-stream", first.data, first.len,
                                     on_closed, events);
    pl_buffer_dispose(&first);
    if (events->stream == NULL) {
        destroy(events);
        return;
    }
    pl_request_unref(&events->request);
    pl_stream_on_drained(events->stream, on_drained);
    if (events->watch != NULL)
        pl_presence_watch_check(events->watch);
}

static void on_delta(void *owner, const pl_delta_t *delta)
{
    event_stream_t *events = owner;
    pl_buffer_t event = PL_BUFFER_EMPTY;

    if (events->stream == NULL) {
        open_stream(events, delta->json, delta->len, delta->cursor);
        return;
    }
    append_delta(&event, delta->json, delta->len, delta->cursor);
    if (events->watch != NULL)
        pl_presence_watch_mailbox_changed(events->watch);
    /* If it fails, on_closed has freed `events`. */
    (void)!pl_stream_write(events->stream, event.data, event.len);
    pl_buffer_dispose(&event);
}

/* Gives a cursor at once to a client that came without one. Otherwise a client whose connection
 * ends before its first event would have no cursor, and would miss the messages sent meanwhile. */
static void on_waiting(void *owner, int64_t cursor)
{
    event_stream_t *events = owner;
    pl_buffer_t json = PL_BUFFER_EMPTY;

    if (events->stream != NULL)
        return;
    pl_empty_delta_to_json(&json, cursor);
    open_stream(events, json.data, json.len, cursor);
    pl_buffer_dispose(&json);
}

static void end(event_stream_t *events)
{
    pl_buffer_t last = PL_BUFFER_EMPTY;

    unregister(events);
    append_retry(&last, events->updates->api->config);
    pl_stream_end(events->stream, last.data, last.len);
    pl_buffer_dispose(&last);
}

static void on_error(void *owner, enum pl_error_code error)
{
    event_stream_t *events = owner;

    if (events->stream == NULL) {
        pl_updates_reply_error(events->request, error);
        destroy(events);
    } else if (error == PL_ERROR_INVALID) {
        end(events);
    }
    /* Otherwise the database is unreachable: the stream stays open, and the next heartbeat reads
     * again. */
}

/* Ends the stream if its session has ended. True: it has, and `events` may be gone. */
static bool recheck(event_stream_t *events)
{
    pl_outcome_t outcome;

    if (!pl_updates_is_ended(events->updates, &events->claims, &outcome))
        return false;
    if (events->stream != NULL) {
        end(events);
    } else {
        pl_api_reply_outcome(events->request, &outcome);
        destroy(events);
    }
    return true;
}

static void on_recheck(void *owner)
{
    (void)recheck(owner);
}

/* The stream of a session outlives its access token; another one ends with its token. */
static bool is_expired(const event_stream_t *events)
{
    return events->claims.session_id == 0 && events->claims.expires_s <= (int64_t)time(NULL);
}

static void on_heartbeat(void *owner)
{
    event_stream_t *events = owner;

    if (recheck(events) || events->stream == NULL)
        return;
    if (is_expired(events)) {
        end(events);
        return;
    }
    if (events->watch != NULL)
        pl_presence_watch_check(events->watch);
    if (pl_stream_queued(events->stream) > 0)
        return; /* it reads slowly: on_drained asks for the next delta */
    pl_follower_next(events->follower);
    (void)!pl_stream_write(events->stream, ":\n\n", 3);
}

/* An ephemeral event is dropped if the stream cannot take it at once. */
static void on_event(void *owner, const pl_event_t *event)
{
    event_stream_t *events = owner;
    bool is_ready = events->stream != NULL && pl_stream_queued(events->stream) == 0;
    pl_buffer_t text = PL_BUFFER_EMPTY;

    pl_push_metrics_event(is_ready);
    if (!is_ready)
        return;
    append_event(&text, event);
    (void)!pl_stream_write(events->stream, text.data, text.len);
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
static int register_all(event_stream_t *events, int64_t cursor,
                        const pl_conversations_check_t *watch)
{
    pl_updates_t *updates = events->updates;

    events->follower = pl_follower_create(&updates->follow, watch->user_id, cursor, PAGE_SIZE,
                                          &callbacks, events);
    if (events->follower == NULL)
        return -1;
    if (watch->count == 0)
        return 0;
    events->watch = pl_presence_watch_create(updates->api->core, watch, on_presence_changed,
                                             events);
    if (events->watch != NULL)
        return 0;
    unregister(events);
    return -1;
}

static void start(pl_updates_t *updates, pl_request_t *request, int64_t cursor,
                  const pl_conversations_check_t *watch)
{
    const pl_token_claims_t *claims = pl_request_claims(request);
    event_stream_t *events = pl_calloc(1, sizeof(*events));

    events->updates = updates;
    events->claims = *claims;
    if (register_all(events, cursor, watch) != 0) {
        free(events);
        pl_updates_reply_too_many(request);
        return;
    }
    events->request = pl_request_ref(request);
    events->is_present = pl_updates_enter(updates, claims->user_id);
    h2o_linklist_insert(&updates->streams, &events->link);
    /* It may have ended before the follower could be told. */
    if (recheck(events))
        return;
    if (cursor != PL_FOLLOW_FROM_NOW) {
        open_stream(events, NULL, 0, 0);
        return;
    }
    pl_request_on_gone(request, on_gone, events);
    pl_request_hold(request);
    pl_follower_next(events->follower);
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
    if (!pl_updates_admit(updates, request))
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
        event_stream_t *events = H2O_STRUCT_FROM_MEMBER(event_stream_t, link, ending.next);
        h2o_linklist_unlink(&events->link);
        h2o_linklist_insert(&updates->streams, &events->link);
        if (events->stream != NULL) {
            end(events);
        } else {
            pl_api_reply_shutting_down(events->request);
            destroy(events);
        }
    }
}
