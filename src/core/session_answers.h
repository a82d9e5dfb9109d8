/*
 * What a loop remembers of its reads of sessions (pl_session_check_t).
 *
 * A version check of a mailbox also tells when its user's sessions last ended (auth_epoch). A token
 * that may have been issued before is judged by a read of its session, once for each such time:
 * later checks with the same time have the same answer. The table is bounded; what it has forgotten
 * is read again.
 */
#ifndef PL_CORE_SESSION_ANSWERS_H
#define PL_CORE_SESSION_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/claims.h"

typedef struct pl_session_answers pl_session_answers_t;

/* Never NULL; lives as long as its loop. */
pl_session_answers_t *pl_session_answers_create(void);

/* True: with that epoch the session was open, or the token was issued late enough. */
bool pl_session_answers_has(const pl_session_answers_t *answers, const pl_token_claims_t *claims,
                            int64_t epoch);
void pl_session_answers_add(pl_session_answers_t *answers, const pl_token_claims_t *claims,
                            int64_t epoch);

#endif
