#include "http/decode.h"

#include <stdbool.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static ssize_t decode(const char *data, size_t len, char *out, bool plus_is_space)
{
    size_t written = 0;
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (c == '%') {
            if (len - i < 3)
                return -1;
            int high = hex_digit(data[i + 1]), low = hex_digit(data[i + 2]);
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0')
            return -1;
        out[written++] = c;
    }
    return (ssize_t)written;
}

ssize_t pl_decode_path(const char *data, size_t len, char *out)
{
    return decode(data, len, out, false);
}

ssize_t pl_decode_query(const char *data, size_t len, char *out)
{
    return decode(data, len, out, true);
}

ssize_t pl_decode_list(const char *data, size_t len, char *list, size_t list_len)
{
    ssize_t decoded_len = pl_decode_query(data, len, list + list_len + 1);
    if (decoded_len < 0)
        return -1;
    list[list_len] = ',';
    return (ssize_t)list_len + 1 + decoded_len;
}

int pl_decode_integer(const char *data, size_t len, int64_t *value_r)
{
    bool negative = len > 0 && data[0] == '-';
    size_t i = negative ? 1 : 0;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    if (i == len || (data[i] == '0' && (negative || len > 1)))
        return -1;
    for (; i < len; i++) {
        if (data[i] < '0' || data[i] > '9')
            return -1;
        uint64_t digit = (uint64_t)(data[i] - '0');
        if (value > (limit - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    *value_r = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}
