#include "base/json_write.h"

#include <string.h>

#include "base/id.h"

/* True if the last byte can only be the end of a value. */
static inline bool ends_a_value(const pl_buffer_t *buffer)
{
    if (buffer->len == 0)
        return false;
    char c = buffer->data[buffer->len - 1];
    return c == '"' || c == '}' || c == ']' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static inline void separate(pl_buffer_t *buffer)
{
    if (ends_a_value(buffer))
        pl_buffer_append_char(buffer, ',');
}

static inline void write_literal(pl_buffer_t *buffer, const char *literal, size_t len)
{
    separate(buffer);
    pl_buffer_append(buffer, literal, len);
}

void pl_json_object_begin(pl_buffer_t *buffer)
{
    write_literal(buffer, "{", 1);
}

void pl_json_object_end(pl_buffer_t *buffer)
{
    pl_buffer_append_char(buffer, '}');
}

void pl_json_array_begin(pl_buffer_t *buffer)
{
    write_literal(buffer, "[", 1);
}

void pl_json_array_end(pl_buffer_t *buffer)
{
    pl_buffer_append_char(buffer, ']');
}

void pl_json_key(pl_buffer_t *buffer, const char *key)
{
    separate(buffer);
    size_t len = strlen(key);
    char *out = pl_buffer_reserve(buffer, len + 3);
    out[0] = '"';
    memcpy(out + 1, key, len);
    out[len + 1] = '"';
    out[len + 2] = ':';
    buffer->len += len + 3;
}

static inline bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static void append_escaped(pl_buffer_t *buffer, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char out[6] = {'\\', 0};
    size_t len = 2;
    switch (c) {
    case '"':
    case '\\':
        out[1] = (char)c;
        break;
    case '\n':
        out[1] = 'n';
        break;
    case '\r':
        out[1] = 'r';
        break;
    case '\t':
        out[1] = 't';
        break;
    default:
        memcpy(out + 1, "u00", 3);
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        len = 6;
    }
    pl_buffer_append(buffer, out, len);
}

size_t pl_json_string_length(const char *text, size_t len)
{
    size_t length = len + 2;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (PL_UNLIKELY(needs_escape(c)))
            length += c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' ? 1 : 5;
    }
    return length;
}

void pl_json_string(pl_buffer_t *buffer, const char *text, size_t len)
{
    separate(buffer);
    pl_buffer_reserve(buffer, len + 2);
    pl_buffer_append_char(buffer, '"');
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (PL_UNLIKELY(needs_escape(c))) {
            pl_buffer_append(buffer, text + start, i - start);
            append_escaped(buffer, c);
            start = i + 1;
        }
    }
    pl_buffer_append(buffer, text + start, len - start);
    pl_buffer_append_char(buffer, '"');
}

void pl_json_text(pl_buffer_t *buffer, const char *text)
{
    if (text == NULL)
        pl_json_null(buffer);
    else
        pl_json_string(buffer, text, strlen(text));
}

void pl_json_int64(pl_buffer_t *buffer, int64_t value)
{
    separate(buffer);
    if (value < 0) {
        if (value == INT64_MIN) {
            pl_buffer_append_text(buffer,
                                  "-9223372036854775808"); /* -INT64_MIN does not fit in int64_t */
            return;
        }
        pl_buffer_append_char(buffer, '-');
        value = -value;
    }
    char *out = pl_buffer_reserve(buffer, PL_ID_TEXT_SIZE);
    buffer->len += pl_id_format(out, value);
}

void pl_json_bool(pl_buffer_t *buffer, bool value)
{
    if (value)
        write_literal(buffer, "true", 4);
    else
        write_literal(buffer, "false", 5);
}

void pl_json_null(pl_buffer_t *buffer)
{
    write_literal(buffer, "null", 4);
}

void pl_json_id(pl_buffer_t *buffer, int64_t id)
{
    separate(buffer);
    char *out = pl_buffer_reserve(buffer, PL_ID_TEXT_SIZE + 2);
    out[0] = '"';
    size_t len = pl_id_format(out + 1, id);
    out[len + 1] = '"';
    buffer->len += len + 2;
}

void pl_json_conversation_id(pl_buffer_t *buffer, int64_t user_id, int64_t peer_id)
{
    separate(buffer);
    char *out = pl_buffer_reserve(buffer, PL_CONVERSATION_ID_TEXT_SIZE + 2);
    out[0] = '"';
    size_t len = pl_conversation_id_format(out + 1, user_id, peer_id);
    out[len + 1] = '"';
    buffer->len += len + 2;
}

void pl_json_raw(pl_buffer_t *buffer, const char *json, size_t len)
{
    write_literal(buffer, json, len);
}
