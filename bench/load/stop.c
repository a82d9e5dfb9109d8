#include "load/stop.h"

#include <stdatomic.h>

static atomic_bool stopped;

void pl_load_stop(void)
{
    atomic_store_explicit(&stopped, true, memory_order_relaxed);
}

bool pl_load_is_stopped(void)
{
    return atomic_load_explicit(&stopped, memory_order_relaxed);
}
