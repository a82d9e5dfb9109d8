/* A growable byte buffer. A zeroed one is empty; memory is allocated at the first append, and its
 * size is doubled as needed. No function fails. Not thread-safe. */
#ifndef PL_BASE_BUFFER_H
#define PL_BASE_BUFFER_H

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

typedef struct pl_buffer {
    char *data; /* NULL while cap is 0; ends in a NUL only after pl_buffer_terminate() */
    size_t len;
    size_t cap;
} pl_buffer_t;

#define PL_BUFFER_EMPTY ((pl_buffer_t){0})

/* Makes room for `extra` bytes after len, and returns their address. The caller writes them and
 * adds to len. */
char *pl_buffer_reserve(pl_buffer_t *buffer, size_t extra) __attribute__((returns_nonnull));

void pl_buffer_appendf(pl_buffer_t *buffer, const char *format, ...) PL_PRINTF(2, 3);

/* Puts a NUL after the content, which len does not count, and returns data. */
char *pl_buffer_terminate(pl_buffer_t *buffer) __attribute__((returns_nonnull));

/* Gives the memory, with a NUL after the content, to the caller, who calls free() on it. The buffer
 * is empty then. len_r may be NULL. */
char *pl_buffer_detach(pl_buffer_t *buffer, size_t *len_r) PL_MUST_USE;

/* Frees the memory; the buffer is empty and can be used again. */
void pl_buffer_dispose(pl_buffer_t *buffer);

/* Removes the content and keeps the memory. */
static inline void pl_buffer_clear(pl_buffer_t *buffer)
{
    buffer->len = 0;
}

static inline void pl_buffer_append(pl_buffer_t *buffer, const void *data, size_t len)
{
    if (len == 0)
        return; /* then data may be NULL, which memcpy does not allow */
    memcpy(pl_buffer_reserve(buffer, len), data, len);
    buffer->len += len;
}

static inline void pl_buffer_append_char(pl_buffer_t *buffer, char c)
{
    *pl_buffer_reserve(buffer, 1) = c;
    buffer->len++;
}

static inline void pl_buffer_append_text(pl_buffer_t *buffer, const char *text)
{
    pl_buffer_append(buffer, text, strlen(text));
}

#endif
