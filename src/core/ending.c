#include "core/ending.h"

#include <stdio.h>

#include "base/metrics.h"

static pl_counter_t counters[PL_SESSION_EVENTS];

static double count_users(void *endings)
{
    return (double)pl_endings_users(endings);
}

void pl_session_metrics_init(pl_endings_t *endings)
{
    static const char *const names[PL_SESSION_EVENTS] = {
        [PL_SESSION_CREATED] = "created", [PL_SESSION_REFRESHED] = "refreshed",
        [PL_SESSION_ENDED] = "ended",     [PL_SESSION_REUSED] = "reused",
        [PL_SESSION_EXPIRED] = "expired",
    };
    char labels[32];

    for (size_t i = 0; i < PL_SESSION_EVENTS; i++) {
        (void)snprintf(labels, sizeof(labels), "event=\"%s\"", names[i]);
        counters[i] = pl_counter_register("parley_sessions_total",
                                          "What happened to sessions on this server.", labels);
    }
    pl_gauge_register_read("parley_ended_users",
                           "Users whose sessions or tokens have ended lately, in memory.", NULL,
                           count_users, endings);
}

void pl_session_count(enum pl_session_event event, size_t count)
{
    pl_counter_add(counters[event], count);
}

void pl_ending_announce(pl_endings_t *endings, pl_hub_t *hub, const pl_ending_t *ending)
{
    if (pl_endings_add(endings, ending))
        pl_hub_recheck(hub, ending->user_id);
}
