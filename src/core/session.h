/*
 * Sessions: a login (createSession) makes one, refreshSession replaces its refresh token, and it
 * ends by a request, by the misuse of an old refresh token, or because it was not refreshed.
 */
#ifndef PL_CORE_SESSION_H
#define PL_CORE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/claims.h"
#include "auth/refresh_token.h"
#include "core/flow.h"
#include "store/session.h"

#define PL_DEVICE_NAME_MAX 100 /* code points */

typedef struct pl_session_result {
    pl_outcome_t outcome;
    /* With PL_OUTCOME_DONE. With PL_OUTCOME_WRONG_CREDENTIALS the claims have the id of the user
     * with that name, or 0. */
    pl_token_claims_t claims; /* of an access token */
    char refresh_token[PL_REFRESH_TEXT_SIZE];
    int64_t refresh_expires_in_s;
} pl_session_result_t;

/* Called once, on the loop, never before the call returns that started it. */
typedef void (*pl_session_done_fn)(const pl_session_result_t *result, void *owner);

/* Valid input; texts are copied. */
typedef struct pl_login_order {
    const char *username; /* lower case, NUL-terminated */
    const char *password;
    size_t password_len;
    const char *device_name; /* NULL: none */
    size_t device_name_len;
    const char *address; /* NUL-terminated; "": not known */
} pl_login_order_t;

/* PL_OUTCOME_WRONG_CREDENTIALS also for an unknown username and a user without a password, after
 * the same work. */
pl_flow_t *pl_session_create_start(pl_core_t *core, const pl_login_order_t *order,
                                   pl_session_done_fn on_done, void *owner);

/* PL_OUTCOME_SESSION_ENDED: the session has ended or expired, or ends now because the token was
 * replaced long ago. PL_OUTCOME_WRONG_REFRESH_TOKEN: it is none of a session. */
pl_flow_t *pl_session_refresh_start(pl_core_t *core, const pl_refresh_token_t *token,
                                    const char *address, pl_session_done_fn on_done, void *owner);

/* What ends: a session, all others of the user, or all with the tokens that have no session. */
typedef struct pl_session_end_order {
    int64_t user_id;
    int64_t session_id; /* 0: all but kept_id */
    int64_t kept_id;
    bool ends_tokens;             /* with session_id 0 */
    enum pl_outcome_code no_user; /* the outcome if there is no such user */
} pl_session_end_order_t;

typedef void (*pl_session_end_fn)(const pl_outcome_t *outcome, void *owner);

/* PL_OUTCOME_SESSION_NOT_FOUND; PL_OUTCOME_SESSION_ENDED: kept_id has ended itself. */
pl_flow_t *pl_session_end_start(pl_core_t *core, const pl_session_end_order_t *order,
                                pl_session_end_fn on_done, void *owner);

/* `read` has the sessions with PL_OUTCOME_DONE, and dies with the callback. */
typedef void (*pl_sessions_done_fn)(const pl_outcome_t *outcome, const pl_sessions_read_t *read,
                                    void *owner);

/* PL_OUTCOME_NO_ACTOR: there is no such user. */
pl_flow_t *pl_sessions_fetch_start(pl_core_t *core, int64_t user_id, pl_sessions_done_fn on_done,
                                   void *owner);

#endif
