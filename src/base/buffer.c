#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* The first allocation; most small responses fit in it. */
#define CAP_MIN 256

char *pl_buffer_reserve(pl_buffer_t *buffer, size_t extra)
{
    if (PL_UNLIKELY(buffer->cap - buffer->len < extra || buffer->data == NULL)) {
        assert(extra < SIZE_MAX / 4 && buffer->len < SIZE_MAX / 4);
        size_t cap = buffer->cap < CAP_MIN ? CAP_MIN : buffer->cap * 2;
        if (cap < buffer->len + extra)
            cap = buffer->len + extra;
        buffer->data = pl_realloc(buffer->data, cap);
        buffer->cap = cap;
    }
    return buffer->data + buffer->len;
}

void pl_buffer_appendf(pl_buffer_t *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char *tail = pl_buffer_reserve(buffer, 64);
    size_t room = buffer->cap - buffer->len;
    int len = vsnprintf(tail, room, format, args);
    assert(len >= 0);
    if ((size_t)len >= room) {
        tail = pl_buffer_reserve(buffer, (size_t)len + 1);
        vsnprintf(tail, (size_t)len + 1, format, again);
    }
    va_end(again);
    va_end(args);
    buffer->len += (size_t)len;
}

char *pl_buffer_terminate(pl_buffer_t *buffer)
{
    *pl_buffer_reserve(buffer, 1) = '\0';
    return buffer->data;
}

char *pl_buffer_detach(pl_buffer_t *buffer, size_t *len_r)
{
    char *data = pl_buffer_terminate(buffer);
    if (len_r != NULL)
        *len_r = buffer->len;
    *buffer = PL_BUFFER_EMPTY;
    return data;
}

void pl_buffer_dispose(pl_buffer_t *buffer)
{
    free(buffer->data);
    *buffer = PL_BUFFER_EMPTY;
}
