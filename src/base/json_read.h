/* A strict reader for request bodies: RFC 8259 to the letter, and what PostgreSQL cannot hold
 * refused.
 *
 * cJSON alone cuts strings at \u0000, lets invalid UTF-8 and lone surrogates through, takes any
 * control character for a space, and keeps duplicate keys. So one pass validates the text first;
 * cJSON then builds the tree of a text that is known to be good. */
#ifndef PL_BASE_JSON_READ_H
#define PL_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

#define PL_JSON_DEPTH_MAX 64
/* A node of the tree costs some 100 bytes and 2 bytes of text: this bounds what a body can claim.
 */
#define PL_JSON_VALUES_MAX 10000

typedef struct pl_json pl_json_t;

enum pl_json_type {
    PL_JSON_ABSENT = 0,
    PL_JSON_NULL,
    PL_JSON_BOOL,
    PL_JSON_NUMBER,
    PL_JSON_STRING,
    PL_JSON_ARRAY,
    PL_JSON_OBJECT,
};

/* Parses an object. Returns 0 and gives *json_r to the caller to free; or -1 with PL_ERROR_INVALID
 * and a message with the byte offset, leaving *json_r NULL: bad syntax, invalid UTF-8, U+0000 raw
 * or as \u0000, a lone surrogate, a byte after the value, more than PL_JSON_DEPTH_MAX levels or
 * PL_JSON_VALUES_MAX values, an object with the same key twice (compared after unescaping, at any
 * level), a top level that is not an object. body needs no NUL and may be freed afterwards. */
int pl_json_parse(const char *body, size_t len, pl_json_t **json_r, pl_error_t *err) PL_MUST_USE;

/* Frees and sets *json to NULL; fine on NULL. Strings that the getters gave die with it. */
void pl_json_free(pl_json_t **json);

/* Members of the top-level object. Keys are case-sensitive. */
enum pl_json_type pl_json_type_of(const pl_json_t *json, const char *key);

/* The next member of the top-level object whose key is not in `known` (ended by NULL); NULL: there
 * is none. `after` is the last one that was given, or NULL at first. Dies with `json`. */
const char *pl_json_unknown_key(const pl_json_t *json, const char *const *known,
                                const char *after) PL_MUST_USE;

/* Typed getters: 1 and the value; 0 where the key is absent; -1 where the value is of another type
 * (null is another type) or, for the integer, not integral or beyond +-(2^53 - 1). */
int pl_json_get_string(const pl_json_t *json, const char *key, const char **text_r,
                       size_t *len_r) PL_MUST_USE;
int pl_json_get_bool(const pl_json_t *json, const char *key, bool *value_r) PL_MUST_USE;
/* An array of strings, of at most `max`: longer ones are -1 too. */
int pl_json_get_strings(const pl_json_t *json, const char *key, const char **texts_r, size_t max,
                        size_t *count_r) PL_MUST_USE;
int pl_json_get_int64(const pl_json_t *json, const char *key, int64_t *value_r) PL_MUST_USE;

#endif
