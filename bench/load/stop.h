/* Tells all threads to stop. May be called from a signal handler. */
#ifndef PL_LOAD_STOP_H
#define PL_LOAD_STOP_H

#include <stdbool.h>

void pl_load_stop(void);
bool pl_load_is_stopped(void);

#endif
