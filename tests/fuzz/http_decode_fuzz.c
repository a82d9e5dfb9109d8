/* Percent escapes, lists and integers of paths and query strings. */
#include <string.h>

#include "fuzz.h"
#include "http/decode.h"

/* The values between the ampersands as one list, in the room that query.c gives it. */
static void join_values(const char *text, size_t size)
{
    char *list = malloc(size + 1);
    const char *end = text + size;
    ssize_t list_len = -1;

    for (const char *at = text; at <= end;) {
        const char *ampersand = at < end ? memchr(at, '&', (size_t)(end - at)) : NULL;
        const char *value_end = ampersand != NULL ? ampersand : end;
        list_len = list_len < 0
                       ? pl_decode_query(at, (size_t)(value_end - at), list)
                       : pl_decode_list(at, (size_t)(value_end - at), list, (size_t)list_len);
        REQUIRE(list_len <= (ssize_t)size);
        if (list_len < 0)
            break;
        REQUIRE(list_len == 0 || memchr(list, '\0', (size_t)list_len) == NULL);
        at = value_end + 1;
    }
    free(list);
}

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
    join_values(text, size);

    int64_t value;
    if (pl_decode_integer(text, size, &value) == 0) {
        char again[32];
        int again_len = snprintf(again, sizeof(again), "%lld", (long long)value);
        REQUIRE((size_t)again_len == size && memcmp(again, text, size) == 0);
    }
    return 0;
}
