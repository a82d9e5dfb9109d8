/*
 * Accounts: createUser, fetchUser, fetchMe, updateMe, deleteMe.
 *
 * Accounts are in the database and in no cache, so that every later read on every server sees a
 * change.
 */
#ifndef PL_CORE_ACCOUNT_H
#define PL_CORE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/claims.h"
#include "base/text.h"
#include "core/flow.h"
#include "store/account.h"

#define PL_DISPLAY_NAME_MAX 100 /* code points */

typedef struct pl_account_result {
    pl_outcome_t outcome;
    /* With PL_OUTCOME_DONE; valid during the callback. Else only the id that was asked for; with
     * PL_OUTCOME_WRONG_CREDENTIALS the id of the user with the name, 0 if there is none: for the
     * audit log, not for clients. */
    pl_account_t account;
    /* With PL_OUTCOME_USER_NOT_FOUND, of a user who was erased: when, in microseconds. Else 0. */
    int64_t deleted_us;
} pl_account_result_t;

/* Called once, on the loop, never before the call returns that started it. */
typedef void (*pl_account_done_fn)(const pl_account_result_t *result, void *owner);

/* The flows live until the callback. All may be abandoned: then nothing is stored, unless the write
 * has already begun. */

/* Valid input; texts are copied. A display name or a password may be NULL: the username, and no
 * login by password. */
typedef struct pl_account_order {
    const char *username; /* lower case, NUL-terminated */
    const char *display_name;
    size_t display_name_len;
    const char *password;
    size_t password_len;
    const char *metadata; /* an application's own JSON object; metadata_len 0: none */
    size_t metadata_len;
} pl_account_order_t;

/* A new user's id names the shard that the username hashes to. Two servers may give out one id in
 * the same millisecond: the insert finds that out, and the next id is tried. */
pl_flow_t *pl_account_create_start(pl_core_t *core, const pl_account_order_t *order,
                                   pl_account_done_fn on_done, void *owner);

/* By id, or by username (lower case) when user_id is 0. PL_OUTCOME_USER_NOT_FOUND. The read takes
 * the turn of `caller_id`. */
pl_flow_t *pl_account_fetch_start(pl_core_t *core, int64_t caller_id, int64_t user_id,
                                  const char *username, pl_account_done_fn on_done, void *owner);

/* NULL members stay unchanged; texts are copied. If there is a current password, the change is made
 * only if it is right (else PL_OUTCOME_WRONG_PASSWORD). A new password needs it if the account has
 * one (PL_OUTCOME_PASSWORD_REQUIRED), and ends the user's sessions but the bearer's. */
typedef struct pl_account_change {
    const char *display_name;
    size_t display_name_len;
    const char *password;
    size_t password_len;
    const char *current_password;
    size_t current_password_len;
    const bool *read_receipts;
    const bool *show_presence;
    const char *group_invites; /* everyone, contacts or nobody; a literal */
    const char *metadata;      /* an application's own JSON object */
    size_t metadata_len;       /* 0: it stays */
} pl_account_change_t;

/* PL_OUTCOME_NO_ACTOR: there is no such account. */
pl_flow_t *pl_account_update_start(pl_core_t *core, const pl_token_claims_t *bearer,
                                   const pl_account_change_t *change, pl_account_done_fn on_done,
                                   void *owner);

/* The account is deleted in the first transaction. Follow-ups delete the content of the mailbox
 * (sql/shard/change_erase_slice.sql): a part of it at once, the rest by the relay. The result has
 * no account. The current password is needed if the account has one, as for a new password. */
void pl_account_erase_start(pl_core_t *core, int64_t user_id, const char *current_password,
                            size_t current_password_len, pl_account_done_fn on_done, void *owner);

#endif
