/*
 * What happens on this server when sessions end: requests with their tokens are refused from now
 * on, and streams and long-polls of the user check whether they still may go on.
 */
#ifndef PL_CORE_ENDING_H
#define PL_CORE_ENDING_H

#include "auth/endings.h"
#include "push/hub.h"

void pl_session_metrics_init(pl_endings_t *endings);

/* From any thread. */
void pl_ending_announce(pl_endings_t *endings, pl_hub_t *hub, const pl_ending_t *ending);

/* Counts for the metrics. */
enum pl_session_event {
    PL_SESSION_CREATED,
    PL_SESSION_REFRESHED,
    PL_SESSION_ENDED,   /* by a request */
    PL_SESSION_REUSED,  /* because a refresh token that was replaced was used again */
    PL_SESSION_EXPIRED, /* because it was not refreshed */
    PL_SESSION_EVENTS,
};
void pl_session_count(enum pl_session_event event, size_t count);

#endif
