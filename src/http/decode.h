/* Decodes percent escapes and integers strictly. Pure functions. */
#ifndef PL_HTTP_DECODE_H
#define PL_HTTP_DECODE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

/* Decodes %XX into `out` (room for len bytes; may be `data` itself). The length, or -1 for a bad
 * escape or a NUL. */
ssize_t pl_decode_path(const char *data, size_t len, char *out) PL_MUST_USE;

/* The same, and '+' is a space. */
ssize_t pl_decode_query(const char *data, size_t len, char *out) PL_MUST_USE;

/* Decodes a further value of a list and joins it to the `list_len` bytes at `list` with a comma:
 * "a" and "b" become "a,b". It takes at most 1 + len bytes of room behind them. The length of the
 * whole list, or -1 as above. */
ssize_t pl_decode_list(const char *data, size_t len, char *list, size_t list_len) PL_MUST_USE;

/* An optional '-' and decimal digits, without leading zeros, in the range of int64_t. 0 or -1. */
int pl_decode_integer(const char *data, size_t len, int64_t *value_r) PL_MUST_USE;

#endif
