#include "push/metrics.h"

#include "base/metrics.h"

static struct {
    pl_counter_t direct;
    pl_counter_t read;
    pl_counter_t late;
    pl_counter_t written;
    pl_counter_t dropped;
} metrics;

static double waiters(void *owner)
{
    return (double)pl_hub_waiters(owner);
}

void pl_push_metrics_init(pl_hub_t *hub)
{
    static const char deltas_help[] = "Deltas given to waiting clients, by where they came from.";
    static const char events_help[] =
        "Typing events that reached a stream; dropped: it had not yet taken what was before.";

    metrics.direct = pl_counter_register("parley_push_deltas_total", deltas_help,
                                         "source=\"commit\"");
    metrics.read = pl_counter_register("parley_push_deltas_total", deltas_help, "source=\"read\"");
    metrics.late = pl_counter_register(
        "parley_push_late_total",
        "Changes found by a heartbeat's check that no wake-up had told of.", NULL);
    metrics.written = pl_counter_register("parley_push_events_total", events_help,
                                          "result=\"written\"");
    metrics.dropped = pl_counter_register("parley_push_events_total", events_help,
                                          "result=\"dropped\"");
    pl_gauge_register_read("parley_push_waiters", "Long-polls and streams that wait.", NULL,
                           waiters, hub);
}

void pl_push_metrics_delta(bool direct)
{
    pl_counter_add(direct ? metrics.direct : metrics.read, 1);
}

void pl_push_metrics_event(bool written)
{
    pl_counter_add(written ? metrics.written : metrics.dropped, 1);
}

void pl_push_metrics_late(void)
{
    pl_counter_add(metrics.late, 1);
}
