/* Allocation that aborts the process if there is no memory, so that no function returns NULL.
 * Release the memory with free(). */
#ifndef PL_BASE_MEMORY_H
#define PL_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

#include "base/compiler.h"

/* A size of 0 is allowed and returns a pointer that can be freed. */
void *pl_malloc(size_t size) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;
void *pl_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;
void *pl_realloc(void *old, size_t size) __attribute__((returns_nonnull)) PL_MUST_USE;
/* Aborts also if count * size overflows. */
void *pl_reallocarray(void *old, size_t count, size_t size)
    __attribute__((returns_nonnull)) PL_MUST_USE;
char *pl_strdup(const char *text) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;
/* Copies exactly len bytes and adds a NUL. */
char *pl_memdup(const char *data, size_t len) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;

#endif
