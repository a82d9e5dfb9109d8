#include "base/json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* cJSON copies a number into a buffer of this size, and misreads a longer number. */
#define NUMBER_SIZE 64

typedef struct scan {
    const char *text;
    size_t len;
    size_t at;
    unsigned depth;
    uint64_t objects; /* bit n: the container at depth n is an object, not an array */
    size_t values;
    pl_error_t *err;
} scan_t;

_Static_assert(PL_JSON_DEPTH_MAX <= 64, "one bit of scan_t.objects for each level");

static int refuse(scan_t *scan, const char *what)
{
    pl_error_set(scan->err, PL_ERROR_INVALID, "%s at byte %zu", what, scan->at);
    return -1;
}

/* The next byte, or -1 at the end. */
static inline int peek(const scan_t *scan)
{
    return scan->at < scan->len ? (unsigned char)scan->text[scan->at] : -1;
}

static inline void skip_space(scan_t *scan)
{
    while (scan->at < scan->len) {
        char c = scan->text[scan->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
        scan->at++;
    }
}

/* Four hexadecimal digits, or -1. */
static int read_hex4(scan_t *scan)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(scan);
        int digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return -1;
        value = value << 4 | digit;
        scan->at++;
    }
    return value;
}

/* Scans what follows "\u". */
static int scan_unicode_escape(scan_t *scan)
{
    int unit = read_hex4(scan);
    if (unit < 0)
        return refuse(scan, "\\u without four hexadecimal digits");
    if (unit == 0)
        return refuse(scan, "U+0000, which is not allowed,");
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return refuse(scan, "a low surrogate without a high one");
    if (unit < 0xd800 || unit > 0xdbff)
        return 0;
    if (scan->len - scan->at < 2 || memcmp(scan->text + scan->at, "\\u", 2) != 0)
        return refuse(scan, "a high surrogate without a low one");
    scan->at += 2;
    unit = read_hex4(scan);
    if (unit < 0xdc00 || unit > 0xdfff)
        return refuse(scan, "a high surrogate without a low one");
    return 0;
}

/* Scans what follows the opening quote. The text is known to be valid UTF-8. */
static int scan_string(scan_t *scan)
{
    while (scan->at < scan->len) {
        unsigned char c = (unsigned char)scan->text[scan->at];
        if (c < 0x20)
            return refuse(scan, "a control character in a string");
        scan->at++;
        if (c == '"')
            return 0;
        if (c != '\\')
            continue;
        int escape = peek(scan);
        if (escape <= 0 || strchr("\"\\/bfnrtu", escape) == NULL)
            return refuse(scan, "an unknown escape");
        scan->at++;
        if (escape == 'u' && scan_unicode_escape(scan) < 0)
            return -1;
    }
    return refuse(scan, "a string without an end");
}

static size_t skip_digits(scan_t *scan)
{
    size_t start = scan->at;
    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at - start;
}

static int scan_number(scan_t *scan)
{
    size_t start = scan->at;
    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0')
        scan->at++;
    else if (skip_digits(scan) == 0)
        return refuse(scan, "a number without digits");
    if (peek(scan) == '.') {
        scan->at++;
        if (skip_digits(scan) == 0)
            return refuse(scan, "a number without digits after the point");
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        if (skip_digits(scan) == 0)
            return refuse(scan, "a number without digits in the exponent");
    }
    if (scan->at - start >= NUMBER_SIZE)
        return refuse(scan, "a number that is too long");
    return 0;
}

static int scan_word(scan_t *scan, const char *word)
{
    size_t len = strlen(word);
    if (scan->len - scan->at < len || memcmp(scan->text + scan->at, word, len) != 0)
        return refuse(scan, "an unknown word");
    scan->at += len;
    return 0;
}

/* Scans a key and its colon. */
static int scan_key(scan_t *scan)
{
    skip_space(scan);
    if (peek(scan) != '"')
        return refuse(scan, "expected a key");
    scan->at++;
    if (scan_string(scan) < 0)
        return -1;
    skip_space(scan);
    if (peek(scan) != ':')
        return refuse(scan, "expected a colon");
    scan->at++;
    return 0;
}

static int open_container(scan_t *scan, bool is_object)
{
    if (scan->depth == PL_JSON_DEPTH_MAX)
        return refuse(scan, "nested too deeply");
    uint64_t bit = UINT64_C(1) << scan->depth++;
    scan->objects = is_object ? scan->objects | bit : scan->objects & ~bit;
    scan->at++;
    return 0;
}

static inline bool in_object(const scan_t *scan)
{
    return (scan->objects >> (scan->depth - 1) & 1) != 0;
}

/* Scans a value, or the beginning of a container. Returns 1 if it opened a container and a value
 * must follow, 0 if the value is complete or the container is empty, -1 on error. */
static int scan_value(scan_t *scan)
{
    skip_space(scan);
    if (++scan->values > PL_JSON_VALUES_MAX)
        return refuse(scan, "too many values");
    switch (peek(scan)) {
    case '{':
        if (open_container(scan, true) < 0)
            return -1;
        skip_space(scan);
        return peek(scan) == '}' ? 0 : scan_key(scan) < 0 ? -1 : 1;
    case '[':
        if (open_container(scan, false) < 0)
            return -1;
        skip_space(scan);
        return peek(scan) == ']' ? 0 : 1;
    case '"':
        scan->at++;
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    case -1:
        return refuse(scan, "the text ends where a value is expected");
    default:
        return scan_number(scan);
    }
}

/* Scans what follows a complete value or the opening of an empty container. Returns 1 if another
 * value must follow, 0 at the end of the outermost container, -1 on error. */
static int scan_after_value(scan_t *scan)
{
    while (scan->depth > 0) {
        skip_space(scan);
        int c = peek(scan);
        if (c == (in_object(scan) ? '}' : ']')) {
            scan->at++;
            scan->depth--;
            continue;
        }
        if (c != ',')
            return refuse(scan, "expected a comma or a closing bracket");
        scan->at++;
        return !in_object(scan) ? 1 : scan_key(scan) < 0 ? -1 : 1;
    }
    return 0;
}

int pl_json_scan(const char *text, size_t len, pl_error_t *err)
{
    scan_t scan = {.text = text, .len = len, .err = err};
    if (!pl_utf8_is_valid(text, len)) {
        pl_error_set(err, PL_ERROR_INVALID, "not valid UTF-8, or U+0000 in it");
        return -1;
    }
    skip_space(&scan);
    if (peek(&scan) != '{')
        return refuse(&scan, "expected an object");
    int more = 1;
    while (more == 1) {
        more = scan_value(&scan);
        if (more == 0)
            more = scan_after_value(&scan);
    }
    if (more < 0)
        return -1;
    skip_space(&scan);
    return scan.at == scan.len ? 0 : refuse(&scan, "something after the object");
}
