/* Validates a JSON text in one pass, without allocations. Only json_read.c uses it. */
#ifndef PL_BASE_JSON_SCAN_H
#define PL_BASE_JSON_SCAN_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"

#define PL_JSON_DEPTH_MAX 64
/* Limits the memory of a tree: a node takes about 100 bytes, but only 2 bytes of text. */
#define PL_JSON_VALUES_MAX 10000

/* Returns 0 if the text is one JSON object (RFC 8259) with only white space around it, is valid
 * UTF-8 without U+0000 (raw or escaped) and without lone surrogates, is within PL_JSON_DEPTH_MAX
 * and PL_JSON_VALUES_MAX, and has no number that is too long for cJSON (64 characters or more).
 * Else returns -1 with PL_ERROR_INVALID and a message that says at which byte. Does not find
 * duplicate keys. */
int pl_json_scan(const char *text, size_t len, pl_error_t *err) PL_MUST_USE;

#endif
