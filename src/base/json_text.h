/* A member's value as text, for data that is stored and returned without interpretation. */
#ifndef PL_BASE_JSON_TEXT_H
#define PL_BASE_JSON_TEXT_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/compiler.h"

/* Appends the object or array that the body has at `key`, without the white space between its
 * parts: so it has no newline, and everything else (the order of members, the digits of numbers) is
 * as it was sent. The body has passed pl_json_parse, and the key's value is an object or an array.
 * -1: the body spells the key with escapes. */
int pl_json_member_text(const char *body, size_t len, const char *key,
                        pl_buffer_t *out) PL_MUST_USE;

#endif
