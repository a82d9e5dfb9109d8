/* Bytes that belong to the request. */
#ifndef PL_HTTP_SLICE_H
#define PL_HTTP_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Not NUL-terminated. `data` is NULL for what is absent. */
typedef struct pl_slice {
    const char *data;
    size_t len;
} pl_slice_t;

static inline bool pl_slice_is(pl_slice_t slice, const char *text)
{
    return slice.data != NULL && slice.len == strlen(text) &&
           memcmp(slice.data, text, slice.len) == 0;
}

#endif
