/* The error value that a lower layer returns; the layer that decides logs it, once. */
#ifndef PL_BASE_ERROR_H
#define PL_BASE_ERROR_H

#include "base/compiler.h"

enum pl_error_code {
    PL_OK = 0,
    PL_ERROR_UNAVAILABLE,     /* nothing happened: the other side cannot be reached now */
    PL_ERROR_OUTCOME_UNKNOWN, /* a write may or may not have happened */
    PL_ERROR_OVERLOADED,      /* nothing happened: a bounded queue is full */
    PL_ERROR_DEADLINE,        /* nothing happened in time */
    PL_ERROR_SQL,             /* the database refused; sqlstate says why */
    PL_ERROR_INVALID,         /* the input is wrong; message says how, in words fit for a client */
    PL_ERROR_INTERNAL,        /* a broken assumption of ours */
};

typedef struct pl_error {
    enum pl_error_code code;
    char sqlstate[6]; /* five characters, or empty */
    char message[200];
} pl_error_t;

/* Fills *err; a longer message is cut. err may be NULL: the caller does not want to know.
 * The SQLSTATE becomes empty. */
void pl_error_set(pl_error_t *err, enum pl_error_code code, const char *format, ...)
    PL_PRINTF(3, 4);

/* The same for PL_ERROR_SQL; sqlstate may be NULL. */
void pl_error_set_sql(pl_error_t *err, const char *sqlstate, const char *format, ...)
    PL_PRINTF(3, 4);

/* PL_OK, no message. */
void pl_error_clear(pl_error_t *err);

/* A stable name for logs and metrics, e.g. "outcome-unknown". */
const char *pl_error_code_name(enum pl_error_code code);

#endif
