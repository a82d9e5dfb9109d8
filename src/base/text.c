#include "base/text.h"

#include <stdint.h>
#include <string.h>

static inline bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the well-formed sequence of two or more bytes that starts at p; 0 if there is
 * none. */
static size_t sequence_length(const unsigned char *p, size_t left)
{
    unsigned char first = p[0];
    if (first < 0xc2)
        return 0; /* a continuation byte, or an overlong form of ASCII */
    if (first < 0xe0)
        return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (first < 0xf0) {
        if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2]) ||
            (first == 0xe0 && p[1] < 0xa0) || /* overlong */
            (first == 0xed && p[1] > 0x9f))   /* U+D800 to U+DFFF: surrogates */
            return 0;
        return 3;
    }
    if (first > 0xf4 || left < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) ||
        !is_continuation(p[3]) || (first == 0xf0 && p[1] < 0x90) || /* overlong */
        (first == 0xf4 && p[1] > 0x8f))                             /* above U+10FFFF */
        return 0;
    return 4;
}

/* True if the next eight bytes are ASCII without NUL, as most text is. */
static inline bool is_plain_ascii(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    /* If no byte has its high bit set, subtracting one from each sets a high bit only if one was
     * 0. */
    return ((word | (word - ones)) & highs) == 0;
}

bool pl_utf8_is_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        if (len - i >= 8 && is_plain_ascii(p + i)) {
            i += 8;
        } else if (p[i] < 0x80) {
            if (p[i] == 0)
                return false;
            i++;
        } else {
            size_t n = sequence_length(p + i, len - i);
            if (n == 0)
                return false;
            i += n;
        }
    }
    return true;
}

size_t pl_utf8_length(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += !is_continuation((unsigned char)text[i]);
    return count;
}

size_t pl_utf8_prefix(const char *text, size_t len, size_t max_code_points)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        if (!is_continuation((unsigned char)text[i]) && ++count > max_code_points)
            return i;
    return len;
}

bool pl_ascii_is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

int pl_username_normalise(const char *name, size_t len, char out[PL_USERNAME_SIZE])
{
    if (len < PL_USERNAME_MIN || len > PL_USERNAME_MAX)
        return -1;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return -1;
        out[i] = c;
    }
    out[len] = '\0';
    return 0;
}
