#include "relay/metrics.h"

#include "base/metrics.h"

static pl_counter_t stored_total;
static pl_counter_t changed_total;
static pl_counter_t blocked_total;
static pl_gauge_t pending;

void pl_relay_metrics_init(void)
{
    stored_total = pl_counter_register("parley_relay_copies_total",
                                       "Senders' copies that the relay stored.", NULL);
    changed_total = pl_counter_register("parley_relay_changes_total",
                                        "Changes that the relay made.", NULL);
    blocked_total = pl_counter_register(
        "parley_relay_blocked_total",
        "Due outbox entries whose database was not reachable, per sweep.", NULL);
    pending = pl_gauge_register(
        "parley_outbox_pending",
        "Entries of both outboxes that the relay's last sweep did not settle.", NULL);
}

void pl_relay_metrics_stored(size_t copies)
{
    pl_counter_add(stored_total, copies);
}

void pl_relay_metrics_changed(size_t changes)
{
    pl_counter_add(changed_total, changes);
}

void pl_relay_metrics_blocked(size_t rows)
{
    pl_counter_add(blocked_total, rows);
}

void pl_relay_metrics_pending(int64_t difference)
{
    pl_gauge_add(pending, difference);
}
