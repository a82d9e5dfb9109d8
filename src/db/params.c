#include "db/params.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

/* Type oids of pg_catalog, fixed for all versions of PostgreSQL. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_BOOL_ARRAY = 1000,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016
};

void pl_params_reset(pl_params_t *params)
{
    params->data.len = 0;
    params->count = 0;
}

void pl_params_dispose(pl_params_t *params)
{
    pl_buffer_dispose(&params->data);
    params->count = 0;
}

static void put32(pl_params_t *params, uint32_t value)
{
    uint32_t wire = htonl(value);
    pl_buffer_append(&params->data, (const char *)&wire, sizeof(wire));
}

static void put64(pl_params_t *params, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    pl_buffer_append(&params->data, (const char *)&wire, sizeof(wire));
}

static void open_value(pl_params_t *params, Oid type)
{
    assert(params->count < PL_PARAMS_MAX);
    params->types[params->count] = type;
    params->offsets[params->count] = params->data.len;
    params->nulls[params->count] = false;
}

static void close_value(pl_params_t *params)
{
    params->lengths[params->count] = (int)(params->data.len - params->offsets[params->count]);
    params->count++;
}

void pl_params_int64(pl_params_t *params, int64_t value)
{
    open_value(params, OID_INT8);
    put64(params, value);
    close_value(params);
}

void pl_params_int32(pl_params_t *params, int32_t value)
{
    open_value(params, OID_INT4);
    put32(params, (uint32_t)value);
    close_value(params);
}

void pl_params_bool(pl_params_t *params, const bool *value)
{
    open_value(params, OID_BOOL);
    if (value != NULL)
        pl_buffer_append_char(&params->data, *value ? 1 : 0);
    else
        params->nulls[params->count] = true;
    close_value(params);
}

void pl_params_text(pl_params_t *params, const char *text, size_t length)
{
    open_value(params, OID_TEXT);
    if (text != NULL)
        pl_buffer_append(&params->data, text, length);
    else
        params->nulls[params->count] = true;
    close_value(params);
}

/* The header of a one-dimensional array without NULLs: dimensions, flags, element type, length,
 * lower bound. */
static void open_array(pl_params_t *params, Oid type, Oid element, size_t count)
{
    open_value(params, type);
    put32(params, 1);
    put32(params, 0);
    put32(params, element);
    put32(params, (uint32_t)count);
    put32(params, 1);
}

void pl_params_int64_array(pl_params_t *params, size_t count)
{
    open_array(params, OID_INT8_ARRAY, OID_INT8, count);
}

void pl_params_int32_array(pl_params_t *params, size_t count)
{
    open_array(params, OID_INT4_ARRAY, OID_INT4, count);
}

void pl_params_bool_array(pl_params_t *params, size_t count)
{
    open_array(params, OID_BOOL_ARRAY, OID_BOOL, count);
}

void pl_params_text_array(pl_params_t *params, size_t count)
{
    open_array(params, OID_TEXT_ARRAY, OID_TEXT, count);
}

void pl_params_element_int64(pl_params_t *params, int64_t value)
{
    put32(params, sizeof(value));
    put64(params, value);
}

void pl_params_element_int32(pl_params_t *params, int32_t value)
{
    put32(params, sizeof(value));
    put32(params, (uint32_t)value);
}

void pl_params_element_bool(pl_params_t *params, bool value)
{
    put32(params, 1);
    pl_buffer_append_char(&params->data, value ? 1 : 0);
}

void pl_params_element_text(pl_params_t *params, const char *text, size_t length)
{
    if (text == NULL) {
        put32(params, (uint32_t)-1);
        return;
    }
    put32(params, (uint32_t)length);
    pl_buffer_append(&params->data, text, length);
}

void pl_params_array_end(pl_params_t *params)
{
    close_value(params);
}

int64_t pl_result_int64(const PGresult *result, int row, int column)
{
    uint64_t wire;
    if (PQgetisnull(result, row, column))
        return 0;
    assert(PQgetlength(result, row, column) == sizeof(wire));
    memcpy(&wire, PQgetvalue(result, row, column), sizeof(wire));
    return (int64_t)be64toh(wire);
}

int32_t pl_result_int32(const PGresult *result, int row, int column)
{
    uint32_t wire;
    if (PQgetisnull(result, row, column))
        return 0;
    assert(PQgetlength(result, row, column) == sizeof(wire));
    memcpy(&wire, PQgetvalue(result, row, column), sizeof(wire));
    return (int32_t)ntohl(wire);
}

bool pl_result_bool(const PGresult *result, int row, int column)
{
    return !PQgetisnull(result, row, column) && *PQgetvalue(result, row, column) != 0;
}

static uint32_t get32(const char *from)
{
    uint32_t wire;
    memcpy(&wire, from, sizeof(wire));
    return ntohl(wire);
}

/* The same header as in open_array; an array without elements has no dimension. */
pl_result_array_t pl_result_array(const PGresult *result, int row, int column)
{
    enum { DIMENSIONS = 0, LENGTH = 12, ELEMENTS = 20 };
    const char *value = PQgetvalue(result, row, column);

    if (PQgetisnull(result, row, column) || get32(value + DIMENSIONS) == 0)
        return (pl_result_array_t){NULL, 0};
    return (pl_result_array_t){value + ELEMENTS, get32(value + LENGTH)};
}

/* Each element is its length, then its value. */
static const char *element(const pl_result_array_t *array, size_t index, size_t size)
{
    const char *at = array->elements + index * (sizeof(uint32_t) + size);
    assert(index < array->count && get32(at) == size);
    return at + sizeof(uint32_t);
}

int64_t pl_result_array_int64(const pl_result_array_t *array, size_t index)
{
    uint64_t wire;
    memcpy(&wire, element(array, index, sizeof(wire)), sizeof(wire));
    return (int64_t)be64toh(wire);
}

int32_t pl_result_array_int32(const pl_result_array_t *array, size_t index)
{
    return (int32_t)get32(element(array, index, sizeof(int32_t)));
}

bool pl_result_array_bool(const pl_result_array_t *array, size_t index)
{
    return *element(array, index, 1) != 0;
}
