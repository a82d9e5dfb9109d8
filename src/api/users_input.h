/* The bodies of createUser, createSession, updateMe and deleteMe. */
#ifndef PL_API_USERS_INPUT_H
#define PL_API_USERS_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "api/body.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/json_read.h"
#include "base/text.h"
#include "core/account.h"

/* The orders point into the rest of their inputs: an input is not copied. */
typedef struct pl_account_input {
    pl_account_order_t order;
    /* Of createSession; NULL: none. */
    const char *device_name;
    size_t device_name_len;
    char username[PL_USERNAME_SIZE];
    pl_json_t *json;
    pl_buffer_t metadata;
} pl_account_input_t;

/* -1: refused (invalid-json, validation-failed), and nothing is to be disposed of. */
int pl_account_input_decode(const char *body, size_t len, int64_t password_min,
                            pl_account_input_t *input, pl_refusal_t *refusal) PL_MUST_USE;

/* The same with a password required, a device's name, and no display name. */
int pl_session_input_decode(const char *body, size_t len, pl_account_input_t *input,
                            pl_refusal_t *refusal) PL_MUST_USE;

void pl_account_input_dispose(pl_account_input_t *input);

typedef struct pl_profile_input {
    pl_account_change_t change; /* its passwords have at most PL_PASSWORD_MAX bytes */
    bool read_receipts;
    bool show_presence;
    pl_json_t *json;
    pl_buffer_t metadata;
} pl_profile_input_t;

/* -1: refused, as above; also a body that changes nothing. */
int pl_profile_input_decode(const char *body, size_t len, int64_t password_min,
                            pl_profile_input_t *input, pl_refusal_t *refusal) PL_MUST_USE;

void pl_profile_input_dispose(pl_profile_input_t *input);

/* Of deleteMe. `current_password` points into `json`; NULL: none. */
typedef struct pl_erasure_input {
    const char *current_password;
    size_t current_password_len;
    pl_json_t *json;
} pl_erasure_input_t;

/* -1: refused, as above. An empty body is accepted. */
int pl_erasure_input_decode(const char *body, size_t len, pl_erasure_input_t *input,
                            pl_refusal_t *refusal) PL_MUST_USE;

void pl_erasure_input_dispose(pl_erasure_input_t *input);

#endif
