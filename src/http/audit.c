#include "http/audit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/request_private.h"

/* All threads share it. Two that begin a second together may write a few events more. */
static struct {
    _Atomic int64_t second;
    _Atomic unsigned written; /* in that second */
    _Atomic int64_t suppressed;
} budgets[PL_AUDIT_VOLUMES];

/* False: the event is left out. */
static bool take(pl_audit_volume_t volume)
{
    int64_t second = pl_clock_monotonic_ms() / 1000;

    if (volume == PL_AUDIT_ALL)
        return true;
    if (atomic_load(&budgets[volume].second) != second) {
        atomic_store(&budgets[volume].second, second);
        atomic_store(&budgets[volume].written, 0);
    }
    if (atomic_fetch_add(&budgets[volume].written, 1) < PL_AUDIT_PER_SECOND)
        return true;
    atomic_fetch_add(&budgets[volume].suppressed, 1);
    return false;
}

void pl_audit_note_address(pl_request_t *request)
{
    pl_request_client_address(request, request->address);
}

static pl_log_field_t id_field(const char *name, int64_t id)
{
    return id != 0 ? PL_ID(name, id) : PL_S(name, NULL);
}

void pl_audit(pl_request_t *request, const pl_audit_t *event)
{
    const pl_token_claims_t *claims = pl_request_claims(request);

    if (!take(event->volume))
        return;
    if (request->address[0] == '\0' && pl_request_is_live(request))
        pl_audit_note_address(request);
    pl_log_info("audit", PL_S("action", event->action), PL_S("outcome", event->outcome),
                id_field("userId", event->user_id),
                id_field("callerId", claims != NULL ? claims->user_id : 0),
                PL_B("admin", claims != NULL && claims->admin),
                PL_S("address", request->address[0] != '\0' ? request->address : NULL),
                PL_S("requestId", request->id), PL_S("operation", pl_request_operation(request)),
                PL_I("suppressed", atomic_exchange(&budgets[event->volume].suppressed, 0)));
}
