/* Validates a JSON text in one pass, without building anything. Used by json_read.c. */
#ifndef PL_BASE_JSON_SCAN_H
#define PL_BASE_JSON_SCAN_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"

/* Returns 0 where text is one JSON object (RFC 8259) with nothing but white space around it, of
 * valid UTF-8, without U+0000 in any spelling or lone surrogates, within PL_JSON_DEPTH_MAX and
 * PL_JSON_VALUES_MAX, and without numbers that cJSON cannot hold (64 characters and more). Else -1
 * with PL_ERROR_INVALID and the byte's offset in the message. Keys may still be duplicates. */
int pl_json_scan(const char *text, size_t len, pl_error_t *err) PL_MUST_USE;

#endif
