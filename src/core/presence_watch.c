#include "core/presence_watch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/presence_shown.h"

typedef struct watched {
    pl_waiter_t waiter;
    pl_presence_watch_t *watch;
    bool is_peer; /* the viewer has a conversation with the user */
    enum { NOTHING, OFFLINE, ONLINE } taken;
    bool is_changed; /* the database must be asked whether the change may be sent */
    bool is_asked;
    bool is_ready; /* there is something to take */
    bool is_shown;
} watched_t;

/* The read in flight, which may outlive the watch. It asks for the strangers, in the order of the
 * watch. */
typedef struct request {
    pl_conversations_check_t check;
    pl_presence_watch_t *watch; /* NULL: destroyed meanwhile */
} request_t;

struct pl_presence_watch {
    pl_core_t *core;
    pl_hub_local_t *hub;
    pl_presence_watch_changed_fn on_changed;
    void *owner;
    int64_t user_id;
    request_t *request;
    pl_presence_question_t *question;
    bool is_watching;
    bool must_read;   /* the viewer's peers may have changed since they were read */
    size_t strangers; /* users who are no peers yet */
    size_t count;
    watched_t users[];
};

static void ask(pl_presence_watch_t *watch);

static void on_event(pl_waiter_t *waiter, const pl_event_t *event)
{
    watched_t *watched = H2O_STRUCT_FROM_MEMBER(watched_t, waiter, waiter);

    (void)event;
    if (!watched->is_peer)
        return;
    watched->is_changed = true;
    if (watched->watch->is_watching)
        ask(watched->watch);
}

static const pl_waiter_callbacks_t callbacks = {.on_event = on_event};

pl_presence_watch_t *pl_presence_watch_create(pl_core_t *core,
                                              const pl_conversations_check_t *check,
                                              pl_presence_watch_changed_fn on_changed, void *owner)
{
    pl_presence_watch_t *watch = pl_calloc(1, sizeof(*watch) + check->count * sizeof(watched_t));

    watch->core = core;
    watch->hub = pl_hub_local(pl_presence_watchers(core->deps.presence), core->loop);
    watch->on_changed = on_changed;
    watch->owner = owner;
    watch->user_id = check->user_id;
    watch->must_read = true;
    watch->strangers = check->count;
    for (; watch->count < check->count; watch->count++) {
        watched_t *watched = &watch->users[watch->count];
        watched->waiter.callbacks = &callbacks;
        watched->watch = watch;
        if (pl_hub_add(watch->hub, &watched->waiter, check->peers[watch->count]) != 0) {
            pl_presence_watch_destroy(&watch);
            return NULL;
        }
    }
    return watch;
}

void pl_presence_watch_destroy(pl_presence_watch_t **watch_p)
{
    pl_presence_watch_t *watch = *watch_p;

    *watch_p = NULL;
    if (watch == NULL)
        return;
    pl_presence_forget(&watch->question);
    if (watch->request != NULL) {
        watch->request->watch = NULL;
        watch->request->check.op.abandoned = true;
    }
    for (size_t i = 0; i < watch->count; i++)
        pl_hub_remove(watch->hub, &watch->users[i].waiter);
    free(watch);
}

/* Then asks for the users who changed in the meantime. After an error the next heartbeat asks
 * again. */
static void on_answer(void *owner, enum pl_error_code error, const bool *is_shown)
{
    pl_presence_watch_t *watch = owner;
    size_t place = 0;

    watch->question = NULL;
    for (size_t i = 0; i < watch->count; i++) {
        watched_t *watched = &watch->users[i];
        if (!watched->is_asked)
            continue;
        watched->is_asked = false;
        if (error == PL_OK) {
            watched->is_ready = true;
            watched->is_shown = is_shown[place];
        } else {
            watched->is_changed = true;
        }
        place++;
    }
    if (error != PL_OK)
        return;
    ask(watch);
    watch->on_changed(watch->owner);
}

/* Asks whether the users who have changed show their presence, unless a question is in flight. */
static void ask(pl_presence_watch_t *watch)
{
    int64_t user_ids[PL_CONVERSATIONS_CHECK_MAX];
    size_t count = 0;

    if (watch->question != NULL)
        return;
    for (size_t i = 0; i < watch->count; i++) {
        watched_t *watched = &watch->users[i];
        if (!watched->is_changed)
            continue;
        watched->is_changed = false;
        watched->is_asked = true;
        user_ids[count++] = watched->waiter.user_id;
    }
    if (count > 0)
        watch->question = pl_presence_ask(watch->core, watch->user_id, user_ids, count, on_answer,
                                          watch);
}

/* Takes the new peers among the strangers, who are in the order of the watch. A peer stays one,
 * because a conversation never ends. */
static void take_peers(pl_presence_watch_t *watch, const pl_conversations_check_t *check)
{
    size_t place = 0;

    watch->is_watching = true;
    for (size_t i = 0; i < watch->count; i++) {
        watched_t *watched = &watch->users[i];
        if (watched->is_peer || !check->has[place++])
            continue;
        watched->is_peer = true;
        watched->is_changed = true;
        watch->strangers--;
    }
    ask(watch);
}

static void read_peers(pl_presence_watch_t *watch);

static void on_read(pl_op_t *op)
{
    request_t *request = H2O_STRUCT_FROM_MEMBER(request_t, check.op, op);
    pl_presence_watch_t *watch = request->watch;

    if (op->error == PL_ERROR_SQL)
        pl_log_error("operation-failed", PL_S("statement", op->kind->name),
                     PL_S("sqlstate", op->sqlstate));
    if (watch != NULL) {
        watch->request = NULL;
        if (op->error == PL_OK) {
            take_peers(watch, &request->check);
            if (watch->must_read)
                read_peers(watch);
        } else {
            watch->must_read = true; /* at the next heartbeat */
        }
    }
    free(request);
}

/* Asks with which of the strangers the viewer has a conversation, unless such a read is in
 * flight. */
static void read_peers(pl_presence_watch_t *watch)
{
    if (watch->request != NULL || watch->strangers == 0)
        return;
    request_t *request = pl_calloc(1, sizeof(*request));
    pl_op_t *op = &request->check.op;
    request->check.user_id = watch->user_id;
    for (size_t i = 0; i < watch->count; i++)
        if (!watch->users[i].is_peer)
            request->check.peers[request->check.count++] = watch->users[i].waiter.user_id;
    op->kind = &pl_conversations_check_kind;
    op->shard = (int)pl_id_shard(watch->user_id);
    op->user_id = watch->user_id;
    op->deadline_ms = pl_core_deadline_ms(watch->core);
    op->on_done = on_read;
    request->watch = watch;
    watch->must_read = pl_lane_submit(pl_cluster_read_lane(watch->core->deps.cluster, op->shard),
                                      op) != 0;
    if (watch->must_read)
        free(request);
    else
        watch->request = request;
}

static void recheck(pl_presence_watch_t *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        watch->users[i].is_changed = watch->users[i].is_changed || watch->users[i].taken == ONLINE;
    ask(watch);
}

void pl_presence_watch_check(pl_presence_watch_t *watch)
{
    if (watch->is_watching)
        recheck(watch);
    if (watch->must_read)
        read_peers(watch);
}

void pl_presence_watch_mailbox_changed(pl_presence_watch_t *watch)
{
    if (watch->strangers == 0)
        return;
    watch->must_read = true;
    read_peers(watch);
}

static void give(int64_t user_id, const pl_presence_state_t *state, pl_presence_watch_take_fn take,
                 void *arg)
{
    pl_buffer_t json = PL_BUFFER_EMPTY;

    pl_json_object_begin(&json);
    pl_json_key(&json, "type");
    pl_json_text(&json, "presence");
    pl_presence_members_to_json(&json, user_id, state);
    pl_json_object_end(&json);
    take(arg, &(pl_event_t){.name = "presence", .json = json.data, .len = json.len});
    pl_buffer_dispose(&json);
}

static pl_presence_state_t state_of(const watched_t *watched, int64_t now_ms)
{
    if (!watched->is_shown)
        return (pl_presence_state_t){.is_online = false};
    return pl_presence_read(watched->watch->core->deps.presence, watched->waiter.user_id, now_ms);
}

void pl_presence_watch_take(pl_presence_watch_t *watch, pl_presence_watch_take_fn take, void *arg)
{
    int64_t now_ms = pl_clock_monotonic_ms();

    if (!watch->is_watching)
        return;
    for (size_t i = 0; i < watch->count; i++) {
        watched_t *watched = &watch->users[i];
        if (!watched->is_ready)
            continue;
        watched->is_ready = false;
        pl_presence_state_t state = state_of(watched, now_ms);
        if (watched->taken == (state.is_online ? ONLINE : OFFLINE) ||
            (!watched->is_shown && watched->taken == NOTHING))
            continue;
        watched->taken = state.is_online ? ONLINE : OFFLINE;
        give(watched->waiter.user_id, &state, take, arg);
    }
}
