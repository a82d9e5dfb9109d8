#include "base/memory.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Does not use the log, which allocates memory itself and may be the caller. */
static PL_NORETURN void out_of_memory(void)
{
    static const char line[] = "{\"level\":\"error\",\"event\":\"out-of-memory\"}\n";
    ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);
    (void)ignored;
    abort();
}

void *pl_malloc(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (PL_UNLIKELY(memory == NULL))
        out_of_memory();
    return memory;
}

void *pl_calloc(size_t count, size_t size)
{
    void *memory = count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1);
    if (PL_UNLIKELY(memory == NULL))
        out_of_memory();
    return memory;
}

void *pl_realloc(void *old, size_t size)
{
    void *memory = realloc(old, size > 0 ? size : 1);
    if (PL_UNLIKELY(memory == NULL))
        out_of_memory();
    return memory;
}

void *pl_reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (PL_UNLIKELY(__builtin_mul_overflow(count, size, &bytes)))
        out_of_memory();
    return pl_realloc(old, bytes);
}

char *pl_strdup(const char *text)
{
    return pl_memdup(text, strlen(text));
}

char *pl_memdup(const char *data, size_t len)
{
    if (PL_UNLIKELY(len == SIZE_MAX))
        out_of_memory();
    char *copy = pl_malloc(len + 1);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}
