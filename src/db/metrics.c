#include "db/metrics.h"

#include "base/metrics.h"

static const uint64_t size_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

static struct {
    pl_histogram_t size;
    pl_histogram_t duration;
    pl_counter_t failed;
    pl_counter_t turns;
    pl_counter_t lost;
} metrics;

void pl_db_metrics_init(void)
{
    metrics.size = pl_histogram_register(
        "parley_batch_operations", "Operations in one transaction of a lane.", NULL, size_bounds,
        sizeof(size_bounds) / sizeof(size_bounds[0]), 1);
    metrics.duration = pl_histogram_register(
        "parley_batch_duration_seconds", "From sending a batch to its answer.", NULL,
        pl_histogram_latency_us, pl_histogram_latency_us_count, 1e-6);
    metrics.failed = pl_counter_register(
        "parley_batches_failed_total",
        "Transactions that the database refused. Several operations are then retried alone.", NULL);
    metrics.turns = pl_counter_register(
        "parley_batch_turns_total",
        "Turns of a loop that ended before all results of a batch were handed out.", NULL);
    metrics.lost = pl_counter_register(
        "parley_connections_lost_total",
        "Connections to PostgreSQL that failed or could not be made.", NULL);
}

void pl_db_metrics_batch(size_t operations, uint64_t duration_ms)
{
    pl_histogram_observe(metrics.size, operations);
    pl_histogram_observe(metrics.duration, duration_ms * 1000);
}

void pl_db_metrics_batch_failed(void)
{
    pl_counter_add(metrics.failed, 1);
}

void pl_db_metrics_turn_ended(void)
{
    pl_counter_add(metrics.turns, 1);
}

void pl_db_metrics_connection_lost(void)
{
    pl_counter_add(metrics.lost, 1);
}
