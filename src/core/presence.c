#include "core/presence.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/presence_shown.h"
#include "push/metrics.h"

void pl_presence_members_to_json(pl_buffer_t *out, int64_t user_id,
                                 const pl_presence_state_t *state)
{
    pl_json_key(out, "userId");
    pl_json_id(out, user_id);
    pl_json_key(out, "online");
    pl_json_bool(out, state->is_online);
    if (state->last_seen_us > 0) {
        pl_json_key(out, "lastSeenTimestamp");
        pl_json_int64(out, state->last_seen_us);
    }
}

typedef struct work {
    pl_flow_t flow;
    pl_conversations_check_t check;
    pl_presence_question_t *question; /* until its answer */
    pl_presence_result_t result;      /* at first with all peers of the user */
    pl_presence_done_fn on_done;
    void *owner;
} work_t;

static work_t *work_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(work_t, flow, flow);
}

static void on_end(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    work->result.outcome = flow->outcome;
    work->on_done(&work->result, work->owner);
    free(work);
}

static work_t *work_create(int64_t user_id, pl_presence_done_fn on_done, void *owner)
{
    work_t *work = pl_calloc(1, sizeof(*work));

    work->check.user_id = user_id;
    work->on_done = on_done;
    work->owner = owner;
    return work;
}

/* ---- fetchPresence ---- */

static pl_turn_t read_conversations(pl_flow_t *flow)
{
    pl_conversations_check_t *check = &work_of(flow)->check;

    check->op.kind = &pl_conversations_check_kind;
    check->op.shard = (int)pl_id_shard(check->user_id);
    check->op.user_id = check->user_id;
    return pl_flow_read(flow, &check->op);
}

static pl_turn_t judge_conversations(pl_flow_t *flow)
{
    work_t *work = work_of(flow);
    const pl_conversations_check_t *check = &work->check;

    if (!check->found)
        return pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
    for (size_t i = 0; i < check->count; i++)
        if (check->has[i])
            work->result.user_ids[work->result.count++] = check->peers[i];
    return work->result.count > 0 ? PL_TURN_NEXT : PL_TURN_END;
}

/* Keeps the users who show their presence. */
static void on_shown(void *owner, enum pl_error_code error, const bool *is_shown)
{
    work_t *work = owner;
    pl_presence_result_t *result = &work->result;
    int64_t now_ms = pl_clock_monotonic_ms();
    size_t asked = result->count;

    result->count = 0;
    for (size_t i = 0; i < asked && error == PL_OK; i++) {
        if (!is_shown[i])
            continue;
        int64_t user_id = result->user_ids[i];
        result->user_ids[result->count] = user_id;
        result->states[result->count++] = pl_presence_read(work->flow.core->deps.presence, user_id,
                                                           now_ms);
    }
    pl_flow_resume(&work->flow, error);
}

static void abandon_question(pl_flow_t *flow)
{
    pl_presence_abandon(work_of(flow)->question);
}

static pl_turn_t ask_who_shows(pl_flow_t *flow)
{
    work_t *work = work_of(flow);

    work->question = pl_presence_ask(flow->core, work->check.user_id, work->result.user_ids,
                                     work->result.count, on_shown, work);
    flow->abandon_reads = abandon_question;
    return PL_TURN_WAIT;
}

static const pl_step_t fetch_steps[] = {
    {"conversations", read_conversations, .judge = judge_conversations},
    {"shown", .begin = ask_who_shows},
    {.name = NULL},
};

pl_flow_t *pl_presence_fetch_start(pl_core_t *core, int64_t user_id, const int64_t *user_ids,
                                   size_t count, pl_presence_done_fn on_done, void *owner)
{
    work_t *work = work_create(user_id, on_done, owner);

    memcpy(work->check.peers, user_ids, count * sizeof(*user_ids));
    work->check.count = count;
    pl_flow_start(&work->flow, core, fetch_steps, on_end);
    return &work->flow;
}

/* ---- announcePresence ---- */

static pl_turn_t check_user(pl_flow_t *flow)
{
    return pl_flow_check_user(flow, work_of(flow)->check.user_id);
}

static pl_turn_t announce(pl_flow_t *flow)
{
    if (pl_presence_announce(flow->core->deps.presence, work_of(flow)->check.user_id,
                             pl_clock_monotonic_ms()) == 0)
        return PL_TURN_NEXT;
    pl_push_metrics_presence_refused();
    return pl_flow_end(flow, PL_OUTCOME_TOO_MANY_ONLINE);
}

static const pl_step_t announce_steps[] = {
    {"check-user", check_user, .absent = PL_OUTCOME_NO_ACTOR},
    {"announce", .begin = announce},
    {.name = NULL},
};

void pl_presence_announce_start(pl_core_t *core, int64_t user_id, pl_presence_done_fn on_done,
                                void *owner)
{
    work_t *work = work_create(user_id, on_done, owner);

    pl_flow_start(&work->flow, core, announce_steps, on_end);
}
