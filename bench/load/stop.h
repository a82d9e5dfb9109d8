/* Tells all threads to come to an end: from a signal handler, too. */
#ifndef PL_LOAD_STOP_H
#define PL_LOAD_STOP_H

#include <stdbool.h>

void pl_load_stop(void);
bool pl_load_is_stopped(void);

#endif
