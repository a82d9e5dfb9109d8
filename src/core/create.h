/* Puts a core together. */
#ifndef PL_CORE_CREATE_H
#define PL_CORE_CREATE_H

#include "core/core.h"

/* Registers the metrics of the core; once, before any core is created. */
void pl_core_metrics_init(void);

/* On the loop's thread; lives as long as the loop. Never NULL. */
pl_core_t *pl_core_create(pl_loop_t *loop, const pl_core_deps_t *deps);

#endif
