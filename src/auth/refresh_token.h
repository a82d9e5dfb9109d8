/*
 * Refresh tokens: opaque to clients, and replaced each time that they are used.
 *
 * A token names its user and its session, so that it is found without an index, and has a secret of
 * 32 random bytes. The secret of its successor is the HMAC-SHA256 of its own with the session's
 * salt, which only the database has. So the same token always has the same successor, though only a
 * hash is stored: a client that has lost an answer asks again. A thief of one token cannot compute
 * the next one.
 *
 * A token has the number of its generation, so that one that was replaced is recognised: as many
 * steps from its secret lead to the present one.
 */
#ifndef PL_AUTH_REFRESH_TOKEN_H
#define PL_AUTH_REFRESH_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define PL_REFRESH_SECRET_BYTES 32
#define PL_REFRESH_TEXT_SIZE 71 /* with the NUL at the end */
/* A hash or a salt in hexadecimal, with the NUL at the end. */
#define PL_REFRESH_HEX_SIZE 65

typedef struct pl_refresh_token {
    int64_t user_id;
    int64_t session_id;
    int32_t generation; /* 0: the login's */
    unsigned char secret[PL_REFRESH_SECRET_BYTES];
} pl_refresh_token_t;

/* Random bytes, as a session's first secret. */
void pl_refresh_secret_make(unsigned char secret_r[PL_REFRESH_SECRET_BYTES]);
/* A random salt in hexadecimal. */
void pl_refresh_salt_make(char salt_r[PL_REFRESH_HEX_SIZE]);

void pl_refresh_token_format(const pl_refresh_token_t *token, char text_r[PL_REFRESH_TEXT_SIZE]);
/* -1: the text is no refresh token. */
int pl_refresh_token_parse(const char *text, size_t len, pl_refresh_token_t *token_r) PL_MUST_USE;

/* SHA-256 of the secret in hexadecimal: what is stored. */
void pl_refresh_token_hash(const pl_refresh_token_t *token, char hash_r[PL_REFRESH_HEX_SIZE]);

/* -1: the salt is malformed. */
int pl_refresh_token_next(const pl_refresh_token_t *token, const char *salt,
                          pl_refresh_token_t *next_r) PL_MUST_USE;

/* What a token is to a session in the present. */
typedef struct pl_refresh_state {
    int32_t generation;
    const char *salt;         /* hexadecimal */
    const char *current_hash; /* hexadecimal */
    /* When the last generations began, the newest first. */
    const int64_t *rotations_us;
    size_t rotations_count;
    int64_t now_us;
} pl_refresh_state_t;

enum pl_refresh_use {
    PL_REFRESH_CURRENT, /* it is to be replaced by its successor */
    /* It was replaced, and its successor was not used yet or not long ago: it has the same
     * successor */
    PL_REFRESH_REPEATED,
    PL_REFRESH_REUSED,  /* it was replaced long ago: somebody else has a copy */
    PL_REFRESH_UNKNOWN, /* it is no token of the session */
};

/* How long a token may still be used when its successor was used: two tabs, a lost answer. */
#define PL_REFRESH_GRACE_US (60 * 1000000)

enum pl_refresh_use pl_refresh_token_judge(const pl_refresh_token_t *token,
                                           const pl_refresh_state_t *state) PL_MUST_USE;

#endif
