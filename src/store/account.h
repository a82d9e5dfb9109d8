/* Accounts: creating, and finding by id or by name. */
#ifndef PL_STORE_ACCOUNT_H
#define PL_STORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

enum pl_account_outcome {
    PL_ACCOUNT_CREATED,
    PL_ACCOUNT_USERNAME_TAKEN,
    PL_ACCOUNT_ID_TAKEN, /* another server gave out the same id: ask again with a new one */
};

/* For the write lane of user_id. op.shard is the id's shard, which must be the username's. */
typedef struct pl_account_create {
    pl_op_t op; /* kind: pl_account_create_kind */
    int64_t user_id;
    int64_t created_us;
    const char *username; /* NUL-terminated; as all texts here it must outlive the operation */
    const char *display_name;
    const char *password_hash; /* NULL: no login by password */
    /* The answer. */
    enum pl_account_outcome outcome;
} pl_account_create_t;

extern const pl_op_kind_t pl_account_create_kind;

/* For a read lane of the shard: by user_id, or by username when user_id is 0. */
typedef struct pl_account_read {
    pl_op_t op; /* kind: pl_account_fetch_kind (by user_id) or pl_account_find_kind (by username) */
    int64_t user_id;
    const char *username; /* lower case, NUL-terminated */
    /* The answer; freed by pl_account_read_dispose. */
    PGresult *result;
} pl_account_read_t;

extern const pl_op_kind_t pl_account_fetch_kind;
extern const pl_op_kind_t pl_account_find_kind;

/* Texts point into the result and are NUL-terminated. */
typedef struct pl_account {
    int64_t user_id;
    const char *username;
    const char *display_name;
    const char *password_hash; /* NULL: none */
    int64_t created_us;
} pl_account_t;

/* False: there is no such account. */
bool pl_account_read_get(const pl_account_read_t *read, pl_account_t *account_r);

void pl_account_read_dispose(pl_account_read_t *read);

#endif
