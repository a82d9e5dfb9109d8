#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(pl_error_t *err, enum pl_error_code code, const char *sqlstate, const char *format,
                va_list args) PL_PRINTF(4, 0);

static void set(pl_error_t *err, enum pl_error_code code, const char *sqlstate, const char *format,
                va_list args)
{
    if (err == NULL)
        return;
    err->code = code;
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate != NULL ? sqlstate : "");
    vsnprintf(err->message, sizeof(err->message), format, args);
}

void pl_error_set(pl_error_t *err, enum pl_error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code, NULL, format, args);
    va_end(args);
}

void pl_error_set_sql(pl_error_t *err, const char *sqlstate, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, PL_ERROR_SQL, sqlstate, format, args);
    va_end(args);
}

void pl_error_clear(pl_error_t *err)
{
    if (err != NULL)
        memset(err, 0, sizeof(*err));
}

const char *pl_error_code_name(enum pl_error_code code)
{
    switch (code) {
    case PL_OK:
        return "ok";
    case PL_ERROR_UNAVAILABLE:
        return "unavailable";
    case PL_ERROR_OUTCOME_UNKNOWN:
        return "outcome-unknown";
    case PL_ERROR_OVERLOADED:
        return "overloaded";
    case PL_ERROR_DEADLINE:
        return "deadline";
    case PL_ERROR_SQL:
        return "sql";
    case PL_ERROR_INVALID:
        return "invalid";
    case PL_ERROR_INTERNAL:
        return "internal";
    }
    return "unknown";
}
