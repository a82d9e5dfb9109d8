/*
 * How an operation ended. PL_OUTCOMES is the one list; api/outcome_reply.c maps each to a problem.
 */
#ifndef PL_CORE_OUTCOME_H
#define PL_CORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "db/op.h"

/* X(NAME, "status"): the status of a change function of the database (sql/shard/change_*) that
 * means the same; NULL if only the server has this outcome. */
#define PL_OUTCOMES(X)                                                                         \
    X(DONE, "done")                                                                            \
    /* Users. */                                                                               \
    X(NO_ACTOR, NULL) /* the acting user does not exist */                                     \
    X(USER_NOT_FOUND, NULL)                                                                    \
    X(RECIPIENT_NOT_FOUND, NULL)                                                               \
    X(RECIPIENT_UNAVAILABLE, "recipient-unavailable") /* has blocked the actor */              \
    X(MEMBER_UNKNOWN, NULL)                           /* no user has the id of a new member */ \
    X(USERNAME_TAKEN, NULL)                                                                    \
    X(WRONG_CREDENTIALS, NULL)                                                                 \
    X(PASSWORD_TOO_COMMON, NULL)                                                               \
    X(WRONG_PASSWORD, NULL)    /* the current password in the change is wrong */               \
    X(PASSWORD_REQUIRED, NULL) /* a change needs the current password */                       \
    X(WRONG_REFRESH_TOKEN, NULL)                                                               \
    X(SESSION_ENDED, "session-ended")                                                          \
    X(SESSION_NOT_FOUND, "session-not-found")                                                  \
    /* Conversations and messages. */                                                          \
    X(NO_MAILBOX, "no-mailbox") /* the mailbox that the change is made in does not exist */    \
    X(CONVERSATION_NOT_FOUND, "conversation-not-found")                                        \
    X(MESSAGE_NOT_FOUND, "message-not-found")                                                  \
    X(REPLY_NOT_FOUND, "reply-not-found") /* the message that a send answers */                \
    X(DUPLICATE, "duplicate")             /* done before; nothing has changed */               \
    X(CLIENT_MESSAGE_ID_REUSED, "client-message-id-reused")                                    \
    X(NOT_SENDER, "not-sender")                                                                \
    X(TOO_MANY_REACTIONS, "too-many-reactions")                                                \
    X(TOO_MANY_RECEIPTS, NULL) /* already wait for one conversation */                         \
    X(TOO_MANY_BLOCKS, "too-many-blocks")                                                      \
    X(BLOCK_NOT_FOUND, NULL)                                                                   \
    X(MISSING,                                                                                 \
      "missing") /* cannot be made yet: something that it depends on is not written yet */     \
    /* Groups. */                                                                              \
    X(GROUP_NOT_FOUND, "group-not-found")                                                      \
    X(GROUP_FULL, "group-full")                                                                \
    X(INVITATION_NOT_FOUND, "invitation-not-found")                                            \
    X(MEMBER_NOT_FOUND, "member-not-found")                                                    \
    X(ROLE_FORBIDS, "forbidden")                                                               \
    X(CLIENT_GROUP_ID_REUSED, "client-group-id-reused")                                        \
    X(ID_TAKEN, "id-taken") /* no free id was found */                                         \
    /* Presence. */                                                                            \
    X(TOO_MANY_ONLINE, NULL)                                                                   \
    /* Failures. */                                                                            \
    X(OVERLOADED, NULL)      /* a queue is full; nothing has changed */                        \
    X(UNAVAILABLE, NULL)     /* the database is away; nothing has changed */                   \
    X(DEADLINE, NULL)        /* it waited too long; nothing has changed */                     \
    X(OUTCOME_UNKNOWN, NULL) /* it may or may not have been done */                            \
    X(SHUTTING_DOWN, NULL)                                                                     \
    X(NO_MEMORY, NULL) /* for a password's hash; nothing has changed */                        \
    X(ABANDONED, NULL) /* the caller has left, and nothing was to be changed */                \
    X(FAILED, NULL)    /* a fault of the server */

enum pl_outcome_code {
#define X(name, status) PL_OUTCOME_##name,
    PL_OUTCOMES(X)
#undef X
        PL_OUTCOME_COUNT
};

typedef struct pl_outcome {
    enum pl_outcome_code code;
    /* For the log, with PL_OUTCOME_FAILED, as far as they are known; else NULL and "". */
    const char *step; /* of the flow, or the kind of the change */
    const char *statement;
    char sqlstate[6];
    bool is_logged; /* with another request that shared the write */
} pl_outcome_t;

/* "MESSAGE_NOT_FOUND": for logs. */
const char *pl_outcome_name(enum pl_outcome_code code);

enum pl_outcome_code pl_outcome_of_error(enum pl_error_code error);

/* Of an operation that has failed. */
pl_outcome_t pl_outcome_of_op(const pl_op_t *op, const char *step);

/* -1: the status is unknown to this version. */
int pl_outcome_of_status(const char *status, enum pl_outcome_code *code_r) PL_MUST_USE;

/* Logs PL_OUTCOME_FAILED as "operation-failed", unless it is logged already. Does nothing for other
 * outcomes. `request_id` may be NULL. */
void pl_outcome_log(const pl_outcome_t *outcome, const char *operation, const char *request_id);

#endif
