/* Allocation that aborts when memory runs out: no caller ever sees NULL. Release with free(). */
#ifndef PL_BASE_MEMORY_H
#define PL_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

#include "base/compiler.h"

/* A size of 0 is fine and gives a pointer that can be freed. */
void *pl_malloc(size_t size) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;
void *pl_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;
void *pl_realloc(void *old, size_t size) __attribute__((returns_nonnull)) PL_MUST_USE;
/* count * size that overflows aborts, too. */
void *pl_reallocarray(void *old, size_t count, size_t size)
    __attribute__((returns_nonnull)) PL_MUST_USE;
char *pl_strdup(const char *text) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;
/* Copies exactly len bytes and adds a NUL. */
char *pl_memdup(const char *data, size_t len) __attribute__((malloc, returns_nonnull)) PL_MUST_USE;

#endif
