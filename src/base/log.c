#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/json_write.h"
#include "base/text.h"

static _Atomic int threshold = PL_LOG_INFO;
static _Atomic int output_fd = STDERR_FILENO;

static const char *const level_names[] = {
    [PL_LOG_DEBUG] = "debug",
    [PL_LOG_INFO] = "info",
    [PL_LOG_WARN] = "warn",
    [PL_LOG_ERROR] = "error",
};

/* Room for the end of a line: ,"cut":true}\n */
#define TAIL_MAX 16

pl_log_field_t pl_log_field_text(const char *name, const char *text)
{
    return PL_SN(name, text, text != NULL ? strlen(text) : 0);
}

static void write_time(pl_buffer_t *line)
{
    struct timespec now;
    struct tm utc;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof(text) - len, ".%06ldZ", now.tv_nsec / 1000);
    pl_json_key(line, "time");
    pl_json_text(line, text);
}

/* A line must be UTF-8, but text from outside may be any bytes. If it is not valid UTF-8, every
 * byte that is not ASCII becomes a question mark. */
static void write_text(pl_buffer_t *line, const char *text, size_t len)
{
    if (text == NULL) {
        pl_json_null(line);
        return;
    }
    if (len > PL_LOG_LINE_MAX)
        len = PL_LOG_LINE_MAX; /* it does not fit, and the field will be left out; this only limits
                                  the cost */
    size_t start = line->len;
    pl_json_string(line, text, len);
    if (!pl_utf8_is_valid(line->data + start, line->len - start)) {
        for (size_t i = start; i < line->len; i++)
            if ((unsigned char)line->data[i] >= 0x80)
                line->data[i] = '?';
    }
}

static void write_field(pl_buffer_t *line, const pl_log_field_t *field)
{
    pl_json_key(line, field->name);
    switch (field->type) {
    case PL_FIELD_TEXT:
        write_text(line, field->value.text, field->len);
        break;
    case PL_FIELD_INT:
        pl_json_int64(line, field->value.integer);
        break;
    case PL_FIELD_ID:
        pl_json_id(line, field->value.integer);
        break;
    case PL_FIELD_BOOL:
        pl_json_bool(line, field->value.integer != 0);
        break;
    case PL_FIELD_REAL:
        if (isfinite(field->value.real))
            pl_buffer_appendf(line, "%.6g", field->value.real);
        else
            pl_json_null(line);
        break;
    case PL_FIELD_NONE:
        pl_json_null(line);
        break;
    }
}

static void write_out(const char *data, size_t len)
{
    int saved_errno = errno;
    ssize_t n;
    do {
        n = write(atomic_load(&output_fd), data, len);
    } while (n < 0 && errno == EINTR);
    /* If the log cannot be written, there is no place to report it. */
    errno = saved_errno;
}

void pl_log_write(enum pl_log_level level, const char *event, const pl_log_field_t *fields)
{
    pl_buffer_t line = PL_BUFFER_EMPTY;
    pl_json_object_begin(&line);
    write_time(&line);
    pl_json_key(&line, "level");
    pl_json_text(&line, level_names[level]);
    pl_json_key(&line, "event");
    pl_json_text(&line, event);
    for (; fields->name != NULL; fields++) {
        size_t before = line.len;
        write_field(&line, fields);
        if (line.len > PL_LOG_LINE_MAX - TAIL_MAX) {
            line.len = before;
            pl_json_key(&line, "cut");
            pl_json_bool(&line, true);
            break;
        }
    }
    pl_json_object_end(&line);
    pl_buffer_append_char(&line, '\n');
    write_out(line.data, line.len);
    pl_buffer_dispose(&line);
}

bool pl_log_is_on(enum pl_log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void pl_log_set_level(enum pl_log_level level)
{
    atomic_store(&threshold, (int)level);
}

void pl_log_set_fd(int fd)
{
    atomic_store(&output_fd, fd);
}

int pl_log_level_parse(const char *name, enum pl_log_level *level_r)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level_r = (enum pl_log_level)i;
            return 0;
        }
    }
    return -1;
}
