#include "load/h1_parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_LENGTH_MAX 16384
#define CHUNK_LINE_LENGTH_MAX 64

/* Adds to `line` until it ends in `end`. Returns the number of bytes taken, -1 if the line is too
 * long. *line_r is the whole line, or NULL if it is not complete. A line within one piece is not
 * copied. */
static ssize_t take_line(pl_load_h1_parser_t *parser, const char *data, size_t len, const char *end,
                         size_t max, const char **line_r, size_t *line_len_r)
{
    size_t end_len = strlen(end);
    size_t had = parser->line.len;
    const char *found;

    *line_r = NULL;
    if (had == 0) {
        found = memmem(data, len, end, end_len);
        if (found != NULL) {
            *line_r = data;
            *line_len_r = (size_t)(found - data) + end_len;
            return (ssize_t)*line_len_r;
        }
    }
    pl_buffer_append(&parser->line, data, len);
    size_t from = had < end_len ? 0 : had - end_len + 1;
    found = memmem(parser->line.data + from, parser->line.len - from, end, end_len);
    if (found == NULL)
        return parser->line.len > max ? -1 : (ssize_t)len;
    *line_r = parser->line.data;
    *line_len_r = (size_t)(found - parser->line.data) + end_len;
    return (ssize_t)(*line_len_r - had);
}

static bool has_name(const char *line, size_t len, const char *name, size_t name_len)
{
    return len > name_len && strncasecmp(line, name, name_len) == 0;
}

#define HAS_NAME(line, len, name) has_name(line, len, name, sizeof(name) - 1)

/* The head contains only complete lines. */
static const char *next_line(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    return newline + 1;
}

/* The value's text ends at the \r of its line. */
static const char *value_of(const char *line)
{
    const char *value = strchr(line, ':') + 1;
    return value + strspn(value, " \t");
}

static int parse_head(pl_load_h1_parser_t *parser, const char *head, size_t len)
{
    const char *end = head + len;
    bool chunked = false;
    bool sized = false;

    if (len < sizeof("HTTP/1.1 200\r\n\r\n") - 1 || memcmp(head, "HTTP/1.1 ", 9) != 0)
        return -1;
    parser->status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
    parser->closes = false;
    parser->remaining = 0;
    for (const char *line = next_line(head, end); line < end - 2;) {
        const char *next = next_line(line, end);
        size_t line_len = (size_t)(next - line);
        if (HAS_NAME(line, line_len, "content-length:")) {
            /* strtoull() would skip white space, past the line's end. */
            if (!isdigit((unsigned char)*value_of(line)))
                return -1;
            parser->remaining = strtoull(value_of(line), NULL, 10);
            sized = true;
        } else if (HAS_NAME(line, line_len, "transfer-encoding:")) {
            chunked = strncasecmp(value_of(line), "chunked", 7) == 0;
        } else if (HAS_NAME(line, line_len, "connection:")) {
            parser->closes = strncasecmp(value_of(line), "close", 5) == 0;
        }
        line = next;
    }
    if (parser->status < 100 || parser->status > 599)
        return -1;
    if (chunked)
        parser->state = PL_LOAD_H1_CHUNK_SIZE;
    else if (parser->status == 204 || parser->status == 304 || parser->status < 200)
        parser->remaining = 0;
    else if (!sized)
        return -1;
    else if (parser->remaining > 0)
        parser->state = PL_LOAD_H1_BODY;
    return 0;
}

static ssize_t read_head(pl_load_h1_parser_t *parser, const char *data, size_t len,
                         pl_load_h1_piece_t *piece)
{
    const char *head;
    size_t head_len;

    parser->status = 0;
    ssize_t taken = take_line(parser, data, len, "\r\n\r\n", HEAD_LENGTH_MAX, &head, &head_len);
    if (taken < 0 || head == NULL)
        return taken;
    if (parse_head(parser, head, head_len) != 0)
        return -1;
    pl_buffer_clear(&parser->line);
    piece->done = parser->state == PL_LOAD_H1_HEAD && parser->status >= 200;
    return taken;
}

static ssize_t read_chunk_size(pl_load_h1_parser_t *parser, const char *data, size_t len)
{
    const char *line;
    size_t line_len;
    ssize_t taken = take_line(parser, data, len, "\r\n", CHUNK_LINE_LENGTH_MAX, &line, &line_len);

    if (taken < 0 || line == NULL)
        return taken;
    if (!isxdigit((unsigned char)*line))
        return -1;
    parser->remaining = strtoull(line, NULL, 16);
    pl_buffer_clear(&parser->line);
    parser->state = parser->remaining > 0 ? PL_LOAD_H1_CHUNK : PL_LOAD_H1_LAST_LINE;
    return taken;
}

/* Takes the empty line after a chunk or after the last chunk. */
static ssize_t read_empty_line(pl_load_h1_parser_t *parser, const char *data, size_t len,
                               pl_load_h1_piece_t *piece)
{
    const char *line;
    size_t line_len;
    ssize_t taken = take_line(parser, data, len, "\r\n", CHUNK_LINE_LENGTH_MAX, &line, &line_len);

    if (taken < 0 || line == NULL)
        return taken;
    pl_buffer_clear(&parser->line);
    if (line_len != 2)
        return -1;
    piece->done = parser->state == PL_LOAD_H1_LAST_LINE;
    parser->state = piece->done ? PL_LOAD_H1_HEAD : PL_LOAD_H1_CHUNK_SIZE;
    return taken;
}

static ssize_t read_body(pl_load_h1_parser_t *parser, const char *data, size_t len,
                         pl_load_h1_piece_t *piece)
{
    piece->body = data;
    piece->body_len = len < parser->remaining ? len : (size_t)parser->remaining;
    parser->remaining -= piece->body_len;
    if (parser->remaining == 0) {
        piece->done = parser->state == PL_LOAD_H1_BODY;
        parser->state = piece->done ? PL_LOAD_H1_HEAD : PL_LOAD_H1_CHUNK_END;
    }
    return (ssize_t)piece->body_len;
}

ssize_t pl_load_h1_parse(pl_load_h1_parser_t *parser, const char *data, size_t len,
                         pl_load_h1_piece_t *piece)
{
    *piece = (pl_load_h1_piece_t){0};
    switch (parser->state) {
    case PL_LOAD_H1_HEAD:
        return read_head(parser, data, len, piece);
    case PL_LOAD_H1_BODY:
    case PL_LOAD_H1_CHUNK:
        return read_body(parser, data, len, piece);
    case PL_LOAD_H1_CHUNK_SIZE:
        return read_chunk_size(parser, data, len);
    case PL_LOAD_H1_CHUNK_END:
    case PL_LOAD_H1_LAST_LINE:
        return read_empty_line(parser, data, len, piece);
    }
    abort();
}

void pl_load_h1_parser_reset(pl_load_h1_parser_t *parser)
{
    pl_buffer_clear(&parser->line);
    parser->state = PL_LOAD_H1_HEAD;
    parser->status = 0;
    parser->closes = false;
}

void pl_load_h1_parser_dispose(pl_load_h1_parser_t *parser)
{
    pl_buffer_dispose(&parser->line);
}
