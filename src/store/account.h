/* Accounts: creating, finding by id or by name, changing; public data of many users; and whether
 * users show their presence. */
#ifndef PL_STORE_ACCOUNT_H
#define PL_STORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

enum pl_account_outcome {
    PL_ACCOUNT_CREATED,
    PL_ACCOUNT_USERNAME_TAKEN,
    PL_ACCOUNT_ID_TAKEN, /* another server has made the same id: call again with a new one */
};

/* For the write lane of user_id. op.shard is the id's shard, which must be the username's. */
typedef struct pl_account_create {
    pl_op_t op; /* kind: pl_account_create_kind */
    int64_t user_id;
    int64_t created_us;
    const char *username; /* NUL-terminated; like all texts here it must outlive the operation */
    const char *display_name;
    const char *password_hash; /* NULL: no login by password */
    const char *metadata;      /* a JSON object; NULL: none */
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
    bool read_receipts;
    bool show_presence;
    const char *group_invites; /* everyone, contacts or nobody */
    const char *metadata;      /* NULL: none */
} pl_account_t;

/* False: there is no such account. */
bool pl_account_read_get(const pl_account_read_t *read, pl_account_t *account_r);

/* The password's hash; NULL: there is no such account, or it has no password. */
const char *pl_account_read_hash(const pl_account_read_t *read);

/* After a pl_account_fetch_kind that found no account: the time of its erasure in microseconds, or
 * 0 if the account never existed. */
int64_t pl_account_read_deleted_us(const pl_account_read_t *read);

void pl_account_read_dispose(pl_account_read_t *read);

/* For the write lane of user_id. A member that is NULL keeps the old value. The answer is that of a
 * read: the account after the change, or none if there is none or its password was changed. */
typedef struct pl_account_update {
    pl_account_read_t read; /* op.kind: pl_account_update_kind; user_id is set */
    const char *display_name;
    size_t display_name_len;
    const char *password_hash; /* NUL-terminated */
    const bool *read_receipts;
    const bool *show_presence;
    const char *group_invites;
    const char *metadata; /* a JSON object, NUL-terminated */
    /* With a password: the hash that the account must still have, NULL if none; and the session
     * that goes on, 0 if none. */
    const char *verified_hash;
    int64_t kept_session_id;
} pl_account_update_t;

/* When the user's other sessions ended by the change; 0: they did not. */
int64_t pl_account_update_sessions_ended_us(const pl_account_update_t *update);

extern const pl_op_kind_t pl_account_update_kind;

#define PL_USERS_READ_MAX 100

/* The public data of some users. For a read lane of the database that has all of them: one kind is
 * for users of one shard (op.shard), the other for several shards. */
typedef struct pl_users_read {
    pl_op_t op;
    int64_t user_ids[PL_USERS_READ_MAX];
    size_t count;
    /* The answer; freed by pl_users_read_dispose. */
    PGresult *result;
} pl_users_read_t;

extern const pl_op_kind_t pl_users_in_shard_kind;
extern const pl_op_kind_t pl_users_in_database_kind;

/* A user's public data. Texts point into the result and are NUL-terminated. */
typedef struct pl_user {
    pl_account_t account; /* of an erased user only the id; never the password hash or settings */
    int64_t deleted_us;   /* when the user was erased, in microseconds; 0: they exist */
} pl_user_t;

/* The number of users who were found; their order is the database's. */
size_t pl_users_read_length(const pl_users_read_t *read);
void pl_users_read_get(const pl_users_read_t *read, size_t index, pl_user_t *user_r);

void pl_users_read_dispose(pl_users_read_t *read);

#define PL_SHOWN_READ_MAX 100

/* Which of some users show the viewer when they are online. For a read lane of the database that
 * has all of them: one kind is for users of one shard (op.shard), the other for several shards. */
typedef struct pl_shown_read {
    pl_op_t op;
    int64_t viewer_id;
    int64_t user_ids[PL_SHOWN_READ_MAX];
    size_t count;
    /* The answer; false also for a user who does not exist. */
    bool is_shown[PL_SHOWN_READ_MAX];
} pl_shown_read_t;

extern const pl_op_kind_t pl_shown_in_shard_kind;
extern const pl_op_kind_t pl_shown_in_database_kind;

#endif
