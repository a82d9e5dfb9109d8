/* The error value that a lower layer returns. The layer that decides what to do logs it, once. */
#ifndef PL_BASE_ERROR_H
#define PL_BASE_ERROR_H

#include "base/compiler.h"

enum pl_error_code {
    PL_OK = 0,
    PL_ERROR_UNAVAILABLE,     /* nothing happened: the other side cannot be reached now */
    PL_ERROR_OUTCOME_UNKNOWN, /* a write may or may not have happened */
    PL_ERROR_OVERLOADED,      /* nothing happened: a bounded queue is full */
    PL_ERROR_DEADLINE,        /* nothing happened before the deadline */
    PL_ERROR_SQL,             /* the database refused; sqlstate says why */
    PL_ERROR_INVALID,         /* the input is wrong; message says how, in words fit for a client */
    PL_ERROR_INTERNAL,        /* a bug, or the system refused a resource */
};

typedef struct pl_error {
    enum pl_error_code code;
    char sqlstate[6]; /* five characters, or empty */
    char message[200];
} pl_error_t;

/* Fills *err and makes its SQLSTATE empty. A message that is too long is cut. err may be NULL; then
 * nothing happens. */
void pl_error_set(pl_error_t *err, enum pl_error_code code, const char *format, ...)
    PL_PRINTF(3, 4);

/* The same for PL_ERROR_SQL; sqlstate may be NULL. */
void pl_error_set_sql(pl_error_t *err, const char *sqlstate, const char *format, ...)
    PL_PRINTF(3, 4);

/* Sets PL_OK and an empty message. err may be NULL. */
void pl_error_clear(pl_error_t *err);

/* A stable name for logs and metrics, e.g. "outcome-unknown". */
const char *pl_error_code_name(enum pl_error_code code);

#endif
