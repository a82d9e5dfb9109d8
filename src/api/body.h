/*
 * Why a body is refused: a decoder fills it, and the handler answers with it. So decoders are pure
 * functions of the bytes.
 *
 * All wrong fields are collected before the body is refused, so that the client's author sees them
 * at once.
 */
#ifndef PL_API_BODY_H
#define PL_API_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/json_read.h"
#include "http/problem.h"
#include "http/request.h"

typedef struct pl_refusal {
    pl_problem_t problem;
    char detail[200];
    bool has_unknown;           /* one of the fields is not known */
    pl_problem_fields_t fields; /* with PL_PROBLEM_VALIDATION_FAILED and PL_PROBLEM_UNKNOWN_FIELD */
} pl_refusal_t;

/* No wrong fields yet. */
void pl_refusal_init(pl_refusal_t *refusal);

/* All return -1, for the decoder to return. */
int pl_refuse(pl_refusal_t *refusal, pl_problem_t problem, const char *format, ...) PL_PRINTF(3, 4);
/* With the fields that were collected; at least one. */
int pl_refuse_fields(pl_refusal_t *refusal);

void pl_refusal_reply(pl_request_t *request, const pl_refusal_t *refusal);

/* Parses the body. -1: it is not an acceptable JSON object, and `refusal` says why. */
int pl_body_parse(const char *body, size_t len, pl_json_t **json_r,
                  pl_refusal_t *refusal) PL_MUST_USE;

/* Makes every key of the body that is not in `known` (ended by NULL) a wrong field. So a client's
 * author learns of a misspelt field at once, and no field is ignored silently. */
void pl_body_keys(const pl_json_t *json, const char *const *known, pl_refusal_t *refusal);

/* The string at `key`. False: it is absent or no string. A value that is no string is a wrong
 * field; an absent one is, if it is `required`. */
bool pl_body_text(const pl_json_t *json, const char *key, bool required, const char **text_r,
                  size_t *len_r, pl_refusal_t *refusal) PL_MUST_USE;

/* The bool at `key`. False: it is absent or no bool. A value that is no bool is a wrong field. */
bool pl_body_bool(const pl_json_t *json, const char *key, bool *value_r,
                  pl_refusal_t *refusal) PL_MUST_USE;

/* The most bytes of an application's own data, as JSON without white space. */
#define PL_METADATA_MAX 4096

/* Appends the object `metadata` of the body as text (base/json_text.h), if it is there. It is a
 * wrong field if it is no object or has more than PL_METADATA_MAX bytes. */
void pl_body_metadata(const char *body, size_t len, const pl_json_t *json, pl_buffer_t *out,
                      pl_refusal_t *refusal);

/* A wrong field. `key` is the member's name. */
void pl_body_wrong(pl_refusal_t *refusal, const char *key, const char *format, ...) PL_PRINTF(3, 4);

#endif
