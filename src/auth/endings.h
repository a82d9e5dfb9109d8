/*
 * The sessions and tokens that have ended lately, in memory: every request is compared with them.
 *
 * This process adds each ending that it makes. It reads the endings of other servers from the
 * databases at each heartbeat (core/endings_reader.h). An ending is forgotten when all tokens that
 * it refuses have expired.
 *
 * The id of a session is the time of its login (sql/shard/create_session.sql), so an ending of all
 * sessions is compared with the id and not with the token's iat. A token without a session has only
 * its iat, which comes from another clock.
 */
#ifndef PL_AUTH_ENDINGS_H
#define PL_AUTH_ENDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/claims.h"
#include "base/compiler.h"

typedef struct pl_endings pl_endings_t;

typedef struct pl_ending {
    int64_t user_id;
    int64_t session_id; /* 0: all sessions but kept_id */
    int64_t ended_us;
    int64_t kept_id;   /* 0: none is kept */
    int64_t tokens_us; /* when the tokens without a session were ended last; 0: never */
    bool is_erased;    /* the user was erased */
} pl_ending_t;

enum pl_ended {
    PL_ENDED_NOT,
    PL_ENDED_SESSION, /* the token's session has ended, or the token itself */
    PL_ENDED_USER,    /* the user was erased */
};

/* For the process. An ending of one session is kept for `keep_s` seconds, one of all of a user's
 * for `keep_all_s`. `leeway_s`: how much the clocks of token issuers may differ. Never NULL. */
pl_endings_t *pl_endings_create(int64_t keep_s, int64_t keep_all_s, int64_t leeway_s);
void pl_endings_destroy(pl_endings_t **endings);

/* All below may be called from any thread. */

/* True if the ending is news: a token that was accepted before may be refused now. */
bool pl_endings_add(pl_endings_t *endings, const pl_ending_t *ending);

/* Whether the token is refused. Costs one load if no user with the same hash has an ending. */
enum pl_ended pl_endings_check(pl_endings_t *endings, const pl_token_claims_t *claims) PL_MUST_USE;

/* True if the token was certainly issued after the time, by any clock within the leeway. */
bool pl_endings_is_after(const pl_endings_t *endings, const pl_token_claims_t *claims,
                         int64_t time_us) PL_MUST_USE;

/* Forgets what is too old at that time. */
void pl_endings_forget(pl_endings_t *endings, int64_t now_us);

/* The number of users with an ending, for the metrics. */
size_t pl_endings_users(const pl_endings_t *endings);

#endif
