#include "core/invitation.h"

#include <stdlib.h>

#include "base/id.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "core/change_flow.h"
#include "store/invitation.h"

/* ---- declineInvitation ---- */

typedef struct declining {
    pl_invitation_done_fn on_done;
    void *owner;
} declining_t;

static void on_declined(const pl_change_result_t *changed, void *owner)
{
    declining_t *declining = owner;

    declining->on_done(&changed->outcome, declining->owner);
    free(declining);
}

void pl_invitation_decline_start(pl_core_t *core, int64_t user_id, int64_t group_id,
                                 pl_invitation_done_fn on_done, void *owner)
{
    declining_t *declining = pl_calloc(1, sizeof(*declining));
    pl_buffer_t argument = PL_BUFFER_EMPTY;

    declining->on_done = on_done;
    declining->owner = owner;
    pl_json_object_begin(&argument);
    pl_json_key(&argument, "groupId");
    pl_json_id(&argument, group_id);
    pl_json_object_end(&argument);
    pl_change_flow_start(core,
                         &(pl_change_order_t){
                             .kind = "decline",
                             .mailbox_id = user_id,
                             .argument = &argument,
                             .no_mailbox = PL_OUTCOME_NO_ACTOR,
                         },
                         on_declined, declining);
}

/* ---- fetchInvitations ---- */

typedef struct fetch {
    pl_flow_t flow;
    pl_invitations_read_t read;
    pl_invitations_fetched_fn on_done;
    void *owner;
} fetch_t;

static fetch_t *fetch_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(fetch_t, flow, flow);
}

static pl_turn_t read_invitations(pl_flow_t *flow)
{
    return pl_flow_read(flow, &fetch_of(flow)->read.op);
}

static pl_turn_t judge_invitations(pl_flow_t *flow)
{
    return fetch_of(flow)->read.json != NULL ? PL_TURN_END : pl_flow_end(flow, PL_OUTCOME_NO_ACTOR);
}

static const pl_step_t fetch_steps[] = {
    {"invitations", read_invitations, .judge = judge_invitations},
    {.name = NULL},
};

static void on_fetch_end(pl_flow_t *flow)
{
    fetch_t *fetch = fetch_of(flow);

    fetch->on_done(&flow->outcome, fetch->read.json, fetch->read.json_len, fetch->owner);
    free(fetch->read.json);
    free(fetch);
}

pl_flow_t *pl_invitations_fetch_start(pl_core_t *core, int64_t user_id,
                                      pl_invitations_fetched_fn on_done, void *owner)
{
    fetch_t *fetch = pl_calloc(1, sizeof(*fetch));

    fetch->read.op.kind = &pl_invitations_read_kind;
    fetch->read.op.shard = (int)pl_id_shard(user_id);
    fetch->read.op.user_id = user_id;
    fetch->read.user_id = user_id;
    fetch->on_done = on_done;
    fetch->owner = owner;
    pl_flow_start(&fetch->flow, core, fetch_steps, on_fetch_end);
    return &fetch->flow;
}
