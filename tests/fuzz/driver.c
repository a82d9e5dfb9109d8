/* Replaces libFuzzer, which gcc does not have. `driver SECONDS FILE...` runs the harness with each
 * file, then with mutations of them until the time is over. An input that makes it fail stays in
 * ./crash. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX 65536

static struct {
    uint8_t *data;
    size_t len;
} seeds[1000];
static size_t seed_count;

static void read_seed(const char *path)
{
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL && seed_count < sizeof(seeds) / sizeof(seeds[0]));
    uint8_t *data = malloc(INPUT_MAX);
    REQUIRE(data != NULL);
    seeds[seed_count].data = data;
    seeds[seed_count++].len = fread(data, 1, INPUT_MAX, file);
    fclose(file);
}

/* The input is written to a file before it is tried, and is copied to memory of its exact size for
 * AddressSanitizer. */
static void try_input(const uint8_t *data, size_t len)
{
    static FILE *kept;
    if (kept == NULL) {
        kept = fopen("crash", "we+");
        REQUIRE(kept != NULL);
        setvbuf(kept, NULL, _IONBF, 0);
    }
    rewind(kept);
    REQUIRE(ftruncate(fileno(kept), 0) == 0);
    REQUIRE(fwrite(data, 1, len, kept) == len);
    uint8_t *copy = malloc(len > 0 ? len : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static size_t mutate(uint8_t *data, size_t len)
{
    for (int i = 0; i < 1 + rand() % 4; i++) {
        size_t at = len > 0 ? (size_t)rand() % len : 0;
        switch (rand() % 4) {
        case 0: /* another byte */
            if (len > 0)
                data[at] = (uint8_t)rand();
            break;
        case 1: /* one byte less */
            if (len > 0)
                memmove(data + at, data + at + 1, --len - at);
            break;
        case 2: /* one byte more */
            if (len < INPUT_MAX) {
                memmove(data + at + 1, data + at, len++ - at);
                data[at] = (uint8_t)rand();
            }
            break;
        default: /* a piece of another seed */
            if (len > 0) {
                size_t other = (size_t)rand() % seed_count;
                size_t n = seeds[other].len < len - at ? seeds[other].len : len - at;
                memcpy(data + at, seeds[other].data, n);
            }
        }
    }
    return len;
}

int main(int argc, char **argv)
{
    REQUIRE(argc > 2);
    static uint8_t input[INPUT_MAX];
    time_t end = time(NULL) + atoi(argv[1]);
    for (int i = 2; i < argc; i++) {
        read_seed(argv[i]);
        try_input(seeds[seed_count - 1].data, seeds[seed_count - 1].len);
    }
    unsigned long runs = 0;
    for (; time(NULL) < end; runs++) {
        size_t seed = (size_t)rand() % seed_count;
        memcpy(input, seeds[seed].data, seeds[seed].len);
        try_input(input, mutate(input, seeds[seed].len));
    }
    printf("%lu mutations, no failure\n", runs);
    return remove("crash");
}
