/* Lists of ids in a query. */
#ifndef PL_API_IDS_INPUT_H
#define PL_API_IDS_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/* Takes the parameter's ids, each once. -1: they are not 1 to `max` ids, separated by commas, and
 * the request was answered with a 422. */
int pl_ids_input_decode(pl_request_t *request, const pl_query_parameter_t *parameter, size_t max,
                        int64_t *ids_r, size_t *count_r) PL_MUST_USE;

#endif
