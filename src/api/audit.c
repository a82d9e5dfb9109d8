#include "api/audit.h"

#include "api/context.h"
#include "http/audit.h"

void pl_api_audit(pl_request_t *request, const char *action, int64_t user_id,
                  const pl_outcome_t *outcome)
{
    bool is_done = outcome->code == PL_OUTCOME_DONE;

    pl_audit(request, &(pl_audit_t){.volume = is_done ? PL_AUDIT_ALL : PL_AUDIT_REFUSED,
                                    .action = action,
                                    .outcome = is_done ? "ok" : pl_api_outcome_code(outcome),
                                    .user_id = user_id});
}

void pl_api_audit_admin_only(pl_request_t *request, int64_t user_id)
{
    pl_audit(request, &(pl_audit_t){.volume = PL_AUDIT_REFUSED,
                                    .action = "admin-only",
                                    .outcome = "forbidden",
                                    .user_id = user_id});
}

void pl_api_audit_acting(pl_request_t *request, int64_t user_id)
{
    pl_audit(request, &(pl_audit_t){.volume = PL_AUDIT_ACTING,
                                    .action = "act-for-user",
                                    .outcome = "ok",
                                    .user_id = user_id});
}
