/* Turns libh2o's own text/plain errors into problem details. */
#ifndef PL_HTTP_ERROR_FILTER_H
#define PL_HTTP_ERROR_FILTER_H

#include <h2o.h>

void pl_error_filter_register(h2o_pathconf_t *pathconf);

#endif
