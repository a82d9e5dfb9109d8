/* Receipts: see receipts.c. The routes are declared in context.h. */
#ifndef PL_API_RECEIPTS_H
#define PL_API_RECEIPTS_H

#include <stdint.h>

#include "api/context.h"

/* A client of the user has presented a cursor, as it begins to wait for what follows: it has all up
 * to there. Nothing to wait for, and no promise. */
void pl_receipts_note_cursor(const pl_api_t *api, int64_t user_id, int64_t cursor);

#endif
