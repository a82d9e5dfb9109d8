/* Sessions: a login makes one, each refresh rotates its token, and they end. Of the secrets of
 * tokens only hashes come here, in hexadecimal. */
#ifndef PL_STORE_SESSION_H
#define PL_STORE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"

/* Like all texts here, those of an operation must outlive it. */

/* Of one user; the option [auth] max_sessions is at most this. */
#define PL_SESSIONS_MAX 1000

/* For the write lane of user_id. */
typedef struct pl_session_create {
    pl_op_t op; /* kind: pl_session_create_kind */
    int64_t user_id;
    const char *verified_hash; /* of the password, as the account had it */
    const char *secret_hash;
    const char *salt;
    const char *device_name; /* NULL: none */
    size_t device_name_len;
    const char *address; /* NULL: not known */
    int64_t lifetime_us;
    int32_t max_sessions;
    /* The answer. */
    int64_t session_id; /* 0: there is no such user with that password any more */
    size_t closed_count;
    int64_t closed_ids[PL_SESSIONS_MAX]; /* sessions that ended, because there were too many */
    int64_t closed_us;
} pl_session_create_t;

extern const pl_op_kind_t pl_session_create_kind;

#define PL_SESSION_ROTATIONS_MAX 8
#define PL_SESSION_HEX_SIZE 65

/* What judges a refresh token. For a read lane of user_id's shard. */
typedef struct pl_session_find {
    pl_op_t op; /* kind: pl_session_find_kind */
    int64_t user_id;
    int64_t session_id;
    /* The answer. */
    bool found; /* false: it has ended or has expired */
    int32_t generation;
    size_t rotations_count;
    int64_t rotations_us[PL_SESSION_ROTATIONS_MAX]; /* the newest first */
    char salt[PL_SESSION_HEX_SIZE];
    char current_hash[PL_SESSION_HEX_SIZE];
    int64_t now_us; /* the database's clock */
} pl_session_find_t;

extern const pl_op_kind_t pl_session_find_kind;

/* Replaces the present token. For the write lane of user_id. */
typedef struct pl_session_rotate {
    pl_op_t op; /* kind: pl_session_rotate_kind */
    int64_t user_id;
    int64_t session_id;
    const char *old_hash;
    const char *new_hash;
    const char *address; /* NULL: not known */
    int64_t lifetime_us;
    /* The answer. */
    bool is_rotated; /* false: it has ended, or it was rotated since it was found */
} pl_session_rotate_t;

extern const pl_op_kind_t pl_session_rotate_kind;

/* Ends one session, all others, or all with the tokens that have no session. For the write lane of
 * user_id. */
typedef struct pl_session_end {
    pl_op_t op; /* kind: pl_session_end_kind */
    int64_t user_id;
    int64_t session_id; /* 0: all but kept_id */
    int64_t kept_id;    /* 0: none is kept */
    bool ends_tokens;   /* with session_id 0 */
    /* The answer. */
    char status[20];  /* "done", or the reason of a refusal */
    int64_t ended_us; /* 0: there was nothing to end */
} pl_session_end_t;

extern const pl_op_kind_t pl_session_end_kind;

/* All sessions of a user. For a read lane of user_id's shard. */
typedef struct pl_sessions_read {
    pl_op_t op; /* kind: pl_sessions_read_kind */
    int64_t user_id;
    /* The answer; freed by pl_sessions_read_dispose. */
    PGresult *result;
} pl_sessions_read_t;

extern const pl_op_kind_t pl_sessions_read_kind;

/* Texts point into the result and are NUL-terminated. */
typedef struct pl_session {
    int64_t session_id;
    const char *device_name; /* NULL: none */
    const char *address;     /* NULL: not known */
    int64_t created_us;
    int64_t last_seen_us;
    int64_t expires_us;
} pl_session_t;

/* False: there is no such user. */
bool pl_sessions_read_found(const pl_sessions_read_t *read);
/* The number of sessions; the one that was seen last is the first. */
size_t pl_sessions_read_length(const pl_sessions_read_t *read);
void pl_sessions_read_get(const pl_sessions_read_t *read, size_t index, pl_session_t *session_r);
void pl_sessions_read_dispose(pl_sessions_read_t *read);

/* Whether a session goes on. For a read lane of user_id's shard. */
typedef struct pl_session_check {
    pl_op_t op; /* kind: pl_session_check_kind */
    int64_t user_id;
    int64_t session_id; /* 0: none */
    /* The answer. */
    bool is_open;
    int64_t tokens_us; /* when the tokens without a session were ended last; 0: never */
} pl_session_check_t;

extern const pl_op_kind_t pl_session_check_kind;

/* What has ended in a database since a time. For a read lane of any of its shards. */
typedef struct pl_endings_read {
    pl_op_t op;        /* kind: pl_endings_read_kind */
    int64_t since_us;  /* endings of single sessions */
    int64_t since_all; /* and of all of a user's */
    int32_t page_size;
    /* The answer; freed by pl_endings_read_dispose. */
    PGresult *result;
} pl_endings_read_t;

extern const pl_op_kind_t pl_endings_read_kind;

/* A row of auth_ending. */
typedef struct pl_ending_row {
    int64_t user_id;
    int64_t session_id;
    int64_t ended_us;
    int64_t kept_id;
    int64_t tokens_us; /* 0: never */
    bool is_erased;
} pl_ending_row_t;

/* The database's clock at the read. */
int64_t pl_endings_read_clock_us(const pl_endings_read_t *read);
/* The number of endings, in the order of their times. */
size_t pl_endings_read_length(const pl_endings_read_t *read);
void pl_endings_read_get(const pl_endings_read_t *read, size_t index, pl_ending_row_t *row_r);
void pl_endings_read_dispose(pl_endings_read_t *read);

/* Deletes expired sessions and old endings of a database. For the write lane of any of its
 * shards. */
typedef struct pl_sessions_expire {
    pl_op_t op; /* kind: pl_sessions_expire_kind */
    int64_t keep_us;
    int64_t keep_all_us;
    int32_t page_size;
    /* The answer. */
    int32_t expired_count;
} pl_sessions_expire_t;

extern const pl_op_kind_t pl_sessions_expire_kind;

#endif
