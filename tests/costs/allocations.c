/*
 * Counts the allocations of a process. Preloaded, it passes each on to the allocator behind it
 * (jemalloc), and adds one to the first eight bytes of the file that PARLEY_ALLOCATIONS names.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t before_main;
static _Atomic uint64_t *counter = &before_main;

__attribute__((constructor)) static void open_counter(void)
{
    const char *path = getenv("PARLEY_ALLOCATIONS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        abort();
    close(fd);
    counter = page;
}

/* The next definition of a function, looked up once. (glibc's dlsym does not allocate where it
 * finds.) */
#define COUNT_AND_CALL(result, name, types, ...)                 \
    static result(*_Atomic next) types;                          \
    result(*call) types = next;                                  \
    if (call == NULL) {                                          \
        *(void **)&call = dlsym(RTLD_NEXT, #name);               \
        next = call;                                             \
    }                                                            \
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); \
    return call(__VA_ARGS__)

void *malloc(size_t size)
{
    COUNT_AND_CALL(void *, malloc, (size_t), size);
}

void *calloc(size_t number, size_t size)
{
    COUNT_AND_CALL(void *, calloc, (size_t, size_t), number, size);
}

void *realloc(void *memory, size_t size)
{
    COUNT_AND_CALL(void *, realloc, (void *, size_t), memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    COUNT_AND_CALL(int, posix_memalign, (void **, size_t, size_t), memory, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    COUNT_AND_CALL(void *, aligned_alloc, (size_t, size_t), alignment, size);
}
