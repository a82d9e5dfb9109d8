#include "core/change_flow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/change_kinds.h"

/* The pause before a change is tried again whose precondition is missing. */
#define AGAIN_MS 100
/* The same for a follow-up. It is short, because the precondition is usually in the next batch. */
#define FOLLOW_UP_AGAIN_MS 20
#define FOLLOW_UP_AT_ONCE 4

typedef struct change_flow change_flow_t;

/* A change of another mailbox, caused by the first change. */
typedef struct follow_up {
    pl_change_t change;
    change_flow_t *work;
    pl_follow_up_t entry; /* of the change outbox */
    bool is_awaited;      /* on_done waits for it: the first change causes it, not a follow-up */
    pl_timer_t pause;     /* until it is tried again */
    int tries;
} follow_up_t;

struct change_flow {
    pl_flow_t flow;
    pl_change_t first;
    pl_change_done_fn on_done; /* NULL once called */
    void *owner;
    int64_t actor_id;
    enum pl_outcome_code no_mailbox;
    pl_timer_t timer;   /* until the first change is tried again; then for the follow-ups */
    int64_t give_up_ms; /* when the first change is no longer tried again */
    bool is_again;
    bool is_complete;
    size_t open;    /* follow-ups */
    size_t awaited; /* the number of them that on_done waits for */
    pl_buffer_t argument;
};

static change_flow_t *work_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(change_flow_t, flow, flow);
}

static void answer(change_flow_t *work, bool is_complete)
{
    pl_change_done_fn on_done = work->on_done;

    work->on_done = NULL;
    if (on_done != NULL)
        on_done(
            &(pl_change_result_t){
                .outcome = work->flow.outcome,
                .change = &work->first,
                .is_complete = is_complete,
            },
            work->owner);
}

/* ---- check-actor ---- */

static pl_turn_t check_actor(pl_flow_t *flow)
{
    int64_t actor_id = work_of(flow)->actor_id;
    return actor_id != 0 ? pl_flow_check_actor(flow, actor_id) : PL_TURN_NEXT;
}

/* ---- change ---- */

static pl_lane_t *lane_of(const change_flow_t *work, const pl_change_t *change)
{
    return pl_cluster_change_lane(work->flow.core->deps.cluster, change->mailbox_id);
}

static void on_pause_over(pl_timer_t *timer)
{
    change_flow_t *work = H2O_STRUCT_FROM_MEMBER(change_flow_t, timer, timer);

    if (pl_lane_submit(lane_of(work, &work->first), &work->first.op) != 0)
        pl_op_end_overloaded(&work->first.op);
}

static pl_turn_t change_first(pl_flow_t *flow)
{
    change_flow_t *work = work_of(flow);

    if (!work->is_again)
        return pl_flow_submit(flow, lane_of(work, &work->first), &work->first.op);
    flow->op = &work->first.op;
    work->timer.on_fire = on_pause_over;
    pl_timer_arm(pl_timer_queue(flow->core->loop, AGAIN_MS), &work->timer);
    return PL_TURN_WAIT;
}

/* The companion's shard has left the database since the map was read. Nothing was changed, and the
 * companion's part has to be a follow-up. (3F000: there is no such schema.) */
static bool must_follow_up(const pl_change_t *first)
{
    return first->companion_id != 0 && strcmp(first->op.sqlstate, "3F000") == 0 &&
           pl_id_shard(first->mailbox_id) != pl_id_shard(first->companion_id);
}

static pl_turn_t take_status(change_flow_t *work)
{
    pl_flow_t *flow = &work->flow;
    enum pl_outcome_code code;

    if (pl_outcome_of_status(work->first.status, &code) != 0) {
        pl_log_error("change-status-unknown", PL_S("kind", work->first.kind),
                     PL_S("status", work->first.status));
        flow->outcome.step = work->first.kind;
        return pl_flow_end(flow, PL_OUTCOME_FAILED);
    }
    if (code == PL_OUTCOME_MISSING && pl_clock_monotonic_ms() < work->give_up_ms) {
        work->is_again = true;
        return PL_TURN_AGAIN;
    }
    flow->outcome.code = code == PL_OUTCOME_NO_MAILBOX ? work->no_mailbox : code;
    return work->first.follow_ups_count > 0 ? PL_TURN_NEXT : PL_TURN_END;
}

static pl_turn_t judge_first(pl_flow_t *flow)
{
    change_flow_t *work = work_of(flow);

    if (flow->error == PL_ERROR_SQL && must_follow_up(&work->first)) {
        work->first.companion_id = 0;
        work->is_again = false;
        return PL_TURN_AGAIN;
    }
    if (flow->error == PL_OK)
        return take_status(work);
    pl_turn_t turn = pl_flow_fail(flow);
    if (flow->outcome.step != NULL)
        flow->outcome.step = work->first.kind;
    return turn;
}

/* ---- follow-ups ---- */

static void open_follow_ups(change_flow_t *work, pl_change_t *origin, bool is_awaited);

static void close_follow_up(follow_up_t *follow_up, bool is_made)
{
    change_flow_t *work = follow_up->work;

    if (is_made)
        open_follow_ups(work, &follow_up->change, false);
    if (follow_up->is_awaited) {
        assert(work->awaited > 0);
        work->is_complete = work->is_complete && is_made;
        if (--work->awaited == 0)
            answer(work, work->is_complete);
    }
    free(follow_up->entry.kind);
    free(follow_up->entry.argument);
    pl_change_dispose(&follow_up->change);
    free(follow_up);
    assert(work->open > 0);
    if (--work->open == 0)
        pl_flow_resume(&work->flow, PL_OK);
}

static void submit_follow_up(follow_up_t *follow_up)
{
    pl_change_t *change = &follow_up->change;

    if (pl_lane_submit(lane_of(follow_up->work, change), &change->op) != 0)
        pl_op_end_overloaded(&change->op);
}

static void on_follow_up_pause_over(pl_timer_t *timer)
{
    submit_follow_up(H2O_STRUCT_FROM_MEMBER(follow_up_t, pause, timer));
}

/* A follow-up may be missing what another flow is about to write: the group's message before this
 * one. A job's slice also ends with "missing", but the relay does the rest of it. */
static bool may_try_again(const follow_up_t *follow_up)
{
    return follow_up->is_awaited && follow_up->change.op.error == PL_OK &&
           pl_change_is(&follow_up->change, "missing") &&
           !pl_change_traits_of(follow_up->entry.kind)->is_background &&
           (uint64_t)pl_clock_monotonic_ms() < follow_up->change.op.deadline_ms;
}

static void on_follow_up_done(pl_op_t *op)
{
    follow_up_t *follow_up = op->owner;
    bool is_made = op->error == PL_OK && !pl_change_is(&follow_up->change, "missing");
    pl_core_t *core = follow_up->work->flow.core;

    if (may_try_again(follow_up)) {
        if (++follow_up->tries <= FOLLOW_UP_AT_ONCE)
            submit_follow_up(follow_up);
        else
            pl_timer_arm(pl_timer_queue(core->loop, FOLLOW_UP_AGAIN_MS), &follow_up->pause);
        return;
    }
    if (is_made)
        pl_settler_add_follow_up(core->deps.settler, &follow_up->entry);
    close_follow_up(follow_up, is_made);
}

/* Takes over the row. */
static void open_follow_up(change_flow_t *work, pl_follow_up_t *entry, bool is_awaited)
{
    follow_up_t *follow_up = pl_calloc(1, sizeof(*follow_up));
    pl_change_t *change = &follow_up->change;
    const pl_config_t *config = work->flow.core->deps.config;

    follow_up->work = work;
    follow_up->entry = *entry;
    follow_up->is_awaited = is_awaited;
    follow_up->pause.on_fire = on_follow_up_pause_over;
    entry->kind = entry->argument = NULL;
    change->mailbox_id = follow_up->entry.target_id;
    change->kind = follow_up->entry.kind;
    change->argument = follow_up->entry.argument;
    change->argument_len = strlen(follow_up->entry.argument);
    change->members_count = follow_up->entry.members_count;
    pl_change_init(change);
    change->op.deadline_ms = (uint64_t)(pl_clock_monotonic_ms() +
                                        config->lanes.copy_deadline_s * 1000);
    change->op.owner = follow_up;
    change->op.on_done = on_follow_up_done;
    work->open++;
    work->awaited += is_awaited;
    submit_follow_up(follow_up);
}

static void open_follow_ups(change_flow_t *work, pl_change_t *origin, bool is_awaited)
{
    for (size_t i = 0; i < origin->follow_ups_count; i++)
        open_follow_up(work, &origin->follow_ups[i], is_awaited);
}

static void on_timeout(pl_timer_t *timer)
{
    answer(H2O_STRUCT_FROM_MEMBER(change_flow_t, timer, timer), false);
}

static pl_turn_t follow_up(pl_flow_t *flow)
{
    change_flow_t *work = work_of(flow);

    work->timer.on_fire = on_timeout;
    pl_timer_arm(flow->core->copy_timeouts, &work->timer);
    open_follow_ups(work, &work->first, true);
    return PL_TURN_WAIT;
}

static const pl_step_t steps[] = {
    {"check-actor", check_actor, .absent = PL_OUTCOME_NO_ACTOR},
    {"change", change_first, .judge = judge_first, .judges_errors = true, .changes = true},
    {"follow-ups", .begin = follow_up},
    {.name = NULL},
};

/* ---- the whole ---- */

static void on_end(pl_flow_t *flow)
{
    change_flow_t *work = work_of(flow);

    answer(work, work->is_complete);
    pl_timer_disarm(&work->timer);
    pl_change_dispose(&work->first);
    pl_buffer_dispose(&work->argument);
    free(work);
}

void pl_change_flow_start(pl_core_t *core, const pl_change_order_t *order,
                          pl_change_done_fn on_done, void *owner)
{
    change_flow_t *work = pl_calloc(1, sizeof(*work));
    const pl_core_deps_t *deps = &core->deps;
    pl_change_t *first = &work->first;
    bool has_companion = order->other_id != 0 &&
                         pl_cluster_share_database(deps->cluster, order->mailbox_id,
                                                   order->other_id);

    work->on_done = on_done;
    work->owner = owner;
    work->actor_id = order->actor_id;
    work->no_mailbox = order->no_mailbox != 0 ? order->no_mailbox
                                              : PL_OUTCOME_CONVERSATION_NOT_FOUND;
    work->is_complete = true;
    work->give_up_ms = pl_clock_monotonic_ms() + deps->config->lanes.copy_deadline_s * 1000;
    work->argument = *order->argument;
    *order->argument = (pl_buffer_t)PL_BUFFER_EMPTY;
    first->mailbox_id = order->mailbox_id;
    first->companion_id = has_companion ? order->other_id : 0;
    first->kind = order->kind;
    first->argument = work->argument.data;
    first->argument_len = work->argument.len;
    pl_change_init(first);
    pl_flow_start(&work->flow, core, steps, on_end);
}
