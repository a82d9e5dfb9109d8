#include "core/unread.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "store/unread.h"

/* ---- fetchUnread ---- */

typedef struct fetch {
    pl_flow_t flow;
    pl_unread_read_t read;
    pl_unread_fetched_fn on_done;
    void *owner;
} fetch_t;

static fetch_t *fetch_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(fetch_t, flow, flow);
}

static pl_turn_t read_totals(pl_flow_t *flow)
{
    return pl_flow_read(flow, &fetch_of(flow)->read.op);
}

static pl_turn_t judge_totals(pl_flow_t *flow)
{
    return fetch_of(flow)->read.found ? PL_TURN_END : pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
}

static const pl_step_t fetch_steps[] = {
    {"totals", read_totals, .judge = judge_totals},
    {.name = NULL},
};

static void on_fetch_end(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);

    fetch->on_done(&flow->outcome,
                   &(pl_unread_totals_t){
                       .conversations_count = fetch->read.conversations_count,
                       .messages_count = fetch->read.messages_count,
                       .has_more = fetch->read.has_more,
                   },
                   fetch->owner);
    free(fetch);
}

pl_flow_t *pl_unread_fetch_start(pl_core_t *core, int64_t user_id, pl_unread_fetched_fn on_done,
                                 void *owner)
{
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));

    fetch->read.op.kind = &pl_unread_read_kind;
    fetch->read.op.shard = (int)pl_id_shard(user_id);
    fetch->read.op.user_id = user_id;
    fetch->read.user_id = user_id;
    fetch->on_done = on_done;
    fetch->owner = owner;
    pl_flow_start(&fetch->flow, core, fetch_steps, on_fetch_end);
    return &fetch->flow;
}

/* ---- markAllRead ---- */

typedef struct read_all {
    pl_flow_t flow;
    int64_t user_id;
    int64_t version; /* the cursor; after the first slice, the version that the mailbox used */
    int64_t
        after; /* the peer at which the last slice ended; 0: there was none, or it was the last */
    pl_unread_done_fn on_done;
    void *owner;
} read_all_t;

static read_all_t *read_all_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(read_all_t, flow, flow);
}

static bool get_id(const pl_json_t *json, const char *key, int64_t *id_r)
{
    const char *text;
    size_t len;

    return pl_json_get_string(json, key, &text, &len) == 1 &&
           pl_decimal_parse(text, len, INT64_MAX, id_r) == 0;
}

/* Whether there is another slice. */
static void take_rest(read_all_t *work, const pl_change_t *change)
{
    pl_json_t *detail;
    pl_error_t error;

    work->after = 0;
    if (pl_json_parse(change->detail, change->detail_len, &detail, &error) != 0)
        return;
    if (!get_id(detail, "after", &work->after) || !get_id(detail, "upTo", &work->version))
        work->after = 0;
    pl_json_free(&detail);
}

static void on_slice(const pl_change_result_t *changed, void *owner)
{
    read_all_t *work = owner;

    work->flow.outcome = changed->outcome;
    if (changed->outcome.code == PL_OUTCOME_DONE)
        take_rest(work, changed->change);
    pl_flow_resume(&work->flow, PL_OK);
}

static pl_turn_t change_slice(pl_flow_t *flow)
{
    read_all_t *work = read_all_of(flow);
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    pl_json_object_begin(&argument);
    pl_json_key(&argument, "version");
    pl_json_id(&argument, work->version);
    pl_json_key(&argument, "after");
    pl_json_id(&argument, work->after);
    pl_json_object_end(&argument);
    pl_change_flow_start(flow->core,
                         &(pl_change_order_t){
                             .kind = "read_all",
                             .mailbox_id = work->user_id,
                             .argument = &argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_slice, work);
    return PL_TURN_WAIT;
}

/* If the slices take longer than a request may, the client's next call does the rest. */
static pl_turn_t judge_slice(pl_flow_t *flow)
{
    const read_all_t *work = read_all_of(flow);

    if (flow->outcome.code != PL_OUTCOME_DONE || work->after == 0)
        return PL_TURN_END;
    if ((uint64_t)pl_clock_monotonic_ms() >= flow->deadline_ms)
        return pl_flow_end(flow, PL_OUTCOME_OUTCOME_UNKNOWN);
    return PL_TURN_AGAIN;
}

static const pl_step_t read_all_steps[] = {
    {"slice", change_slice, .judge = judge_slice, .changes = true},
    {.name = NULL},
};

static void on_read_all_end(pl_flow_t *flow)
{
    read_all_t *work = read_all_of(flow);

    work->on_done(&flow->outcome, work->owner);
    free(work);
}

void pl_unread_read_all_start(pl_core_t *core, int64_t user_id, int64_t version,
                              pl_unread_done_fn on_done, void *owner)
{
    read_all_t *work = pl_calloc(1, sizeof(*work));

    work->user_id = user_id;
    work->version = version;
    work->on_done = on_done;
    work->owner = owner;
    pl_flow_start(&work->flow, core, read_all_steps, on_read_all_end);
}
