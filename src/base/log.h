/* Writes the log: JSON lines, one write(2) each, to standard error.
 *
 *     pl_log_info("lane-connected", PL_S("database", name), PL_I("lane", 3));
 *     {"time":"2026-01-31T12:00:00.000000Z","level":"info","event":"lane-connected","database":"a","lane":3}
 *
 * Event names are stable, lower case, with hyphens. Never log a token, a password or a message's
 * text. All functions are thread-safe. If a line would exceed PL_LOG_LINE_MAX, its last fields are
 * left out and "cut":true is added.
 */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

/* In bytes. A pipe takes this much in one piece (PIPE_BUF), so that the lines of several processes
 * do not mix. */
#define PL_LOG_LINE_MAX 4096

enum pl_log_level { PL_LOG_DEBUG, PL_LOG_INFO, PL_LOG_WARN, PL_LOG_ERROR };

typedef struct pl_log_field {
    const char *name; /* NULL ends the list; needs no escaping */
    enum {
        PL_FIELD_NONE,
        PL_FIELD_TEXT,
        PL_FIELD_INT,
        PL_FIELD_ID,
        PL_FIELD_BOOL,
        PL_FIELD_REAL
    } type;
    size_t len;
    union {
        const char *text;
        int64_t integer;
        double real;
    } value;
} pl_log_field_t;

/* Fields: PL_S a string or NULL; PL_SN a string with its length; PL_I an integer; PL_ID an id
 * (quoted); PL_B a bool; PL_F a double. The log does not keep pointers. */
#define PL_S(field, v) pl_log_field_text((field), (v))
#define PL_SN(field, v, n) \
    ((pl_log_field_t){.name = (field), .type = PL_FIELD_TEXT, .len = (n), .value.text = (v)})
#define PL_I(field, v) \
    ((pl_log_field_t){.name = (field), .type = PL_FIELD_INT, .value.integer = (int64_t)(v)})
#define PL_ID(field, v) \
    ((pl_log_field_t){.name = (field), .type = PL_FIELD_ID, .value.integer = (int64_t)(v)})
#define PL_B(field, v) \
    ((pl_log_field_t){.name = (field), .type = PL_FIELD_BOOL, .value.integer = (v) ? 1 : 0})
#define PL_F(field, v) \
    ((pl_log_field_t){.name = (field), .type = PL_FIELD_REAL, .value.real = (double)(v)})
/* Two fields: the name of the error's code, and its message. */
#define PL_E(err) PL_S("error", pl_error_code_name((err)->code)), PL_S("detail", (err)->message)

#define pl_log_debug(...) PL_LOG_AT(PL_LOG_DEBUG, __VA_ARGS__)
#define pl_log_info(...) PL_LOG_AT(PL_LOG_INFO, __VA_ARGS__)
#define pl_log_warn(...) PL_LOG_AT(PL_LOG_WARN, __VA_ARGS__)
#define pl_log_error(...) PL_LOG_AT(PL_LOG_ERROR, __VA_ARGS__)

/* The arguments are evaluated only if the level is on. */
#define PL_LOG_AT(level, ...)                   \
    do {                                        \
        if (pl_log_is_on(level))                \
            PL_LOG_WRITE((level), __VA_ARGS__); \
    } while (0)
#define PL_LOG_WRITE(level, event, ...) \
    pl_log_write((level), (event),      \
                 (const pl_log_field_t[]){{.name = ""}, ##__VA_ARGS__, {.name = NULL}} + 1)

pl_log_field_t pl_log_field_text(const char *name, const char *text);

/* The last of the fields has the name NULL. */
void pl_log_write(enum pl_log_level level, const char *event, const pl_log_field_t *fields);

bool pl_log_is_on(enum pl_log_level level);

/* The defaults are PL_LOG_INFO and descriptor 2. */
void pl_log_set_level(enum pl_log_level level);
void pl_log_set_fd(int fd);

/* Parses "debug", "info", "warn" or "error". Returns 0, or -1 for another name. */
int pl_log_level_parse(const char *name, enum pl_log_level *level_r) PL_MUST_USE;

#endif
