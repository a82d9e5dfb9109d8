/* Percent escapes and integers of paths and query strings. */
#include <string.h>

#include "fuzz.h"
#include "http/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char *out = malloc(size > 0 ? size : 1); /* the exact size that the contract calls enough */
    ssize_t len = pl_decode_query(text, size, out);
    REQUIRE(len <= (ssize_t)size);
    REQUIRE(len < 1 || memchr(out, '\0', (size_t)len) == NULL);
    len = pl_decode_path(text, size, out);
    REQUIRE(len <= (ssize_t)size);
    if (size > 0) {
        memcpy(out, text, size);
        REQUIRE(pl_decode_path(out, size, out) == len); /* in place */
    }
    free(out);

    int64_t value;
    if (pl_decode_integer(text, size, &value) == 0) {
        char again[32];
        int again_len = snprintf(again, sizeof(again), "%lld", (long long)value);
        REQUIRE((size_t)again_len == size && memcmp(again, text, size) == 0);
    }
    return 0;
}
