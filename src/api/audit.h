/* Audit events of operations (http/audit.h). */
#ifndef PL_API_AUDIT_H
#define PL_API_AUDIT_H

#include <stdint.h>

#include "core/outcome.h"
#include "http/request.h"

/* Of an operation that has ended: it was done to user_id, or refused or failed. */
void pl_api_audit(pl_request_t *request, const char *action, int64_t user_id,
                  const pl_outcome_t *outcome);

/* A caller without the admin scope wanted what takes it; user_id: as whom, or 0. */
void pl_api_audit_admin_only(pl_request_t *request, int64_t user_id);

/* An admin does something as user_id. */
void pl_api_audit_acting(pl_request_t *request, int64_t user_id);

#endif
