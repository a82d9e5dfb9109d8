/*
 * Parameters of one statement in PostgreSQL's binary format, and readers for binary results.
 *
 * Statements for many operations have arrays (int8[], int4[], bool[], text[]), with one element per
 * operation or per mailbox. Statements for one operation have scalars.
 *
 * Too many parameters, or an element that does not exist, is a programmer's error (asserted).
 */
#ifndef PL_DB_PARAMS_H
#define PL_DB_PARAMS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define PL_PARAMS_MAX 20

typedef struct pl_params {
    pl_buffer_t data;
    int count;
    Oid types[PL_PARAMS_MAX];
    size_t offsets[PL_PARAMS_MAX];
    int lengths[PL_PARAMS_MAX];
    bool nulls[PL_PARAMS_MAX];
} pl_params_t;

/* Removes all parameters and keeps the memory. A zeroed pl_params_t is empty. */
void pl_params_reset(pl_params_t *params);
/* Frees the memory; the struct can be used again. */
void pl_params_dispose(pl_params_t *params);

void pl_params_int64(pl_params_t *params, int64_t value);
void pl_params_int32(pl_params_t *params, int32_t value);
/* NULL is SQL's NULL. */
void pl_params_bool(pl_params_t *params, const bool *value);
/* `text` NULL is SQL's NULL; `length` is in bytes. The text must be valid UTF-8 without NUL bytes:
 * the database refuses anything else, and then the whole batch fails. */
void pl_params_text(pl_params_t *params, const char *text, size_t length);

/* Begins an array of `count` elements. Exactly `count` element calls of the same type must follow,
 * then pl_params_array_end. */
void pl_params_int64_array(pl_params_t *params, size_t count);
void pl_params_int32_array(pl_params_t *params, size_t count);
void pl_params_bool_array(pl_params_t *params, size_t count);
void pl_params_text_array(pl_params_t *params, size_t count);
void pl_params_element_int64(pl_params_t *params, int64_t value);
void pl_params_element_int32(pl_params_t *params, int32_t value);
void pl_params_element_bool(pl_params_t *params, bool value);
/* NULL is SQL's NULL. */
void pl_params_element_text(pl_params_t *params, const char *text, size_t length);
void pl_params_array_end(pl_params_t *params);

/* Read a value of a binary result. The column's type must be the one in the function's name (int8,
 * int4, bool). NULL reads as 0 or false. */
int64_t pl_result_int64(const PGresult *result, int row, int column);
int32_t pl_result_int32(const PGresult *result, int row, int column);
bool pl_result_bool(const PGresult *result, int row, int column);

/* An array in a binary result: int8[], int4[] or bool[], without NULL elements. A NULL array is
 * empty. It is valid as long as the result. */
typedef struct pl_result_array {
    const char *elements;
    size_t count;
} pl_result_array_t;

pl_result_array_t pl_result_array(const PGresult *result, int row, int column);
int64_t pl_result_array_int64(const pl_result_array_t *array, size_t index);
int32_t pl_result_array_int32(const pl_result_array_t *array, size_t index);
bool pl_result_array_bool(const pl_result_array_t *array, size_t index);

#endif
