/* A strict reader for request bodies. It accepts RFC 8259 exactly, and refuses text that PostgreSQL
 * cannot store.
 *
 * cJSON alone cuts strings at \u0000, accepts invalid UTF-8 and lone surrogates, treats any control
 * character as a space, and keeps duplicate keys. So a first pass validates the text, and cJSON
 * builds a tree only from valid text. */
#ifndef PL_BASE_JSON_READ_H
#define PL_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

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

/* Parses an object. Returns 0 and *json_r, which the caller frees with pl_json_free(). Returns -1
 * and a NULL *json_r, with PL_ERROR_INVALID and a message fit for a client, for: bad syntax;
 * invalid UTF-8; U+0000, raw or as \u0000; a lone surrogate; a byte after the value; more than
 * PL_JSON_DEPTH_MAX levels or PL_JSON_VALUES_MAX values (json_scan.h); an object at any level that
 * has the same key twice (compared after unescaping); a top level that is not an object. body needs
 * no NUL and may be freed afterwards. */
int pl_json_parse(const char *body, size_t len, pl_json_t **json_r, pl_error_t *err) PL_MUST_USE;

/* Frees the tree, with all strings that the getters returned, and sets *json to NULL. *json may be
 * NULL. */
void pl_json_free(pl_json_t **json);

/* Members of the top-level object. Keys are case-sensitive. */
enum pl_json_type pl_json_type_of(const pl_json_t *json, const char *key);

/* The next member of the top-level object whose key is not in `known` (ended by NULL); NULL: there
 * is none. `after` is the last one that was returned, or NULL at first. Valid as long as `json`. */
const char *pl_json_unknown_key(const pl_json_t *json, const char *const *known,
                                const char *after) PL_MUST_USE;

/* Typed getters for members of the top-level object. They return 1 and the value; 0 if the key is
 * absent; -1 if the value has another type (null is another type) or, for the integer, is not
 * integral or is beyond +-(2^53 - 1). A string is UTF-8, ends in a NUL, and belongs to the tree. */
int pl_json_get_string(const pl_json_t *json, const char *key, const char **text_r,
                       size_t *len_r) PL_MUST_USE;
int pl_json_get_bool(const pl_json_t *json, const char *key, bool *value_r) PL_MUST_USE;
/* An array of at most `max` strings, each ended by a NUL; -1 for a longer array. On -1 the contents
 * of texts_r are undefined. */
int pl_json_get_strings(const pl_json_t *json, const char *key, const char **texts_r, size_t max,
                        size_t *count_r) PL_MUST_USE;
int pl_json_get_int64(const pl_json_t *json, const char *key, int64_t *value_r) PL_MUST_USE;

#endif
