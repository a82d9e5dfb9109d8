/*
 * The audit log: who did or tried what to accounts and rights, and from where. Events are lines of
 * the log (base/log.h) with the name "audit". They have no username, password, token or text.
 */
#ifndef PL_HTTP_AUDIT_H
#define PL_HTTP_AUDIT_H

#include <stdint.h>

#include "http/request.h"

typedef enum pl_audit_volume {
    PL_AUDIT_ALL,     /* what the server's own work bounds: each is written */
    PL_AUDIT_REFUSED, /* what anybody can cause */
    PL_AUDIT_ACTING,  /* what an integrator does all the time */
    PL_AUDIT_VOLUMES
} pl_audit_volume_t;

/* Most events of one volume but PL_AUDIT_ALL that the process writes in a second. The next event
 * says how many were left out, as `suppressed`. */
#define PL_AUDIT_PER_SECOND 100

typedef struct pl_audit {
    pl_audit_volume_t volume;
    const char *action;  /* "login" */
    const char *outcome; /* "ok", or the code of the problem */
    int64_t user_id;     /* whom it was done to; 0: it is not known */
} pl_audit_t;

/* Notes the client's address, for an event that is written when the client may have left. The
 * request is live. */
void pl_audit_note_address(pl_request_t *request);

/* Writes an event, with the request's id, operation, caller and address. */
void pl_audit(pl_request_t *request, const pl_audit_t *event);

#endif
