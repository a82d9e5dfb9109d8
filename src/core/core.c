#include "core/core.h"

#include "base/clock.h"

uint64_t pl_core_deadline_ms(const pl_core_t *core)
{
    return (uint64_t)(pl_clock_monotonic_ms() + core->deps.config->lanes.request_deadline_s * 1000);
}
