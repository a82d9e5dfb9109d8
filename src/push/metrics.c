#include "push/metrics.h"

#include "base/metrics.h"

static struct {
    pl_counter_t from_commit;
    pl_counter_t read;
    pl_counter_t missed_wakes;
    pl_counter_t written;
    pl_counter_t dropped;
    pl_counter_t refused;
} metrics;

static double waiters(void *owner)
{
    return (double)pl_hub_waiters(owner);
}

static double online(void *owner)
{
    return (double)pl_presence_count(owner).online;
}

static double offline(void *owner)
{
    pl_presence_counts_t counts = pl_presence_count(owner);
    return (double)(counts.known - counts.online);
}

static void init_presence(pl_presence_t *presence)
{
    static const char users_help[] =
        "Users who are online, and users who are offline and whose last-seen time is kept.";

    metrics.refused = pl_counter_register(
        "parley_presence_refused_total",
        "Streams, long-polls and announcements that did not count: the table was full.", NULL);
    pl_gauge_register_read("parley_presence_users", users_help, "state=\"online\"", online,
                           presence);
    pl_gauge_register_read("parley_presence_users", users_help, "state=\"offline\"", offline,
                           presence);
    pl_gauge_register_read("parley_presence_watched", "Users watched, once for each stream.", NULL,
                           waiters, pl_presence_watchers(presence));
}

void pl_push_metrics_init(pl_hub_t *hub, pl_presence_t *presence)
{
    static const char deltas_help[] = "Deltas sent to waiting clients, by their source.";
    static const char events_help[] =
        "Typing events for open streams: written, or dropped because the client reads slowly.";

    metrics.from_commit = pl_counter_register("parley_push_deltas_total", deltas_help,
                                              "source=\"commit\"");
    metrics.read = pl_counter_register("parley_push_deltas_total", deltas_help, "source=\"read\"");
    metrics.missed_wakes = pl_counter_register(
        "parley_push_late_total",
        "Changes for which no wake-up came: the version check of a heartbeat found them.", NULL);
    metrics.written = pl_counter_register("parley_push_events_total", events_help,
                                          "result=\"written\"");
    metrics.dropped = pl_counter_register("parley_push_events_total", events_help,
                                          "result=\"dropped\"");
    pl_gauge_register_read("parley_push_waiters", "Open long-polls and streams.", NULL, waiters,
                           hub);
    init_presence(presence);
}

void pl_push_metrics_delta(bool from_commit)
{
    pl_counter_add(from_commit ? metrics.from_commit : metrics.read, 1);
}

void pl_push_metrics_event(bool written)
{
    pl_counter_add(written ? metrics.written : metrics.dropped, 1);
}

void pl_push_metrics_presence_refused(void)
{
    pl_counter_add(metrics.refused, 1);
}

void pl_push_metrics_missed_wake(void)
{
    pl_counter_add(metrics.missed_wakes, 1);
}
