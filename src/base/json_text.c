#include "base/json_text.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* The place after the string that begins at `at`. */
static size_t string_end(const char *body, size_t at)
{
    for (at++; body[at] != '"'; at++)
        if (body[at] == '\\')
            at++;
    return at + 1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* How the byte changes the depth. */
static int step_of(char c)
{
    return c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
}

/* Strings whole, and all other bytes but white space. */
static void append_value(const char *body, size_t at, pl_buffer_t *out)
{
    int depth = 0;

    do {
        size_t end = body[at] == '"' ? string_end(body, at) : at + 1;
        if (!is_space(body[at]))
            pl_buffer_append(out, body + at, end - at);
        depth += step_of(body[at]);
        at = end;
    } while (depth > 0);
}

static size_t skip_space(const char *body, size_t at)
{
    while (is_space(body[at]))
        at++;
    return at;
}

/* The place of the member's value; 0: the key does not occur in this spelling. */
static size_t find_value(const char *body, size_t len, const char *key)
{
    size_t key_len = strlen(key);
    int depth = 0;

    for (size_t at = 0, end; at < len; at = end) {
        end = body[at] == '"' ? string_end(body, at) : at + 1;
        depth += step_of(body[at]);
        if (depth != 1 || body[at] != '"' || end - at != key_len + 2 ||
            memcmp(body + at + 1, key, key_len) != 0)
            continue;
        size_t colon = skip_space(body, end);
        if (body[colon] == ':')
            return skip_space(body, colon + 1);
    }
    return 0;
}

int pl_json_member_text(const char *body, size_t len, const char *key, pl_buffer_t *out)
{
    size_t value = find_value(body, len, key);

    if (value == 0)
        return -1;
    assert(body[value] == '{' || body[value] == '[');
    append_value(body, value, out);
    return 0;
}
