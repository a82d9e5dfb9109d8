/*
 * Problem details (RFC 9457): every error response of the API.
 *
 * PL_PROBLEMS is the one table of codes; docs (#problem-<code>), the OpenAPI document and clients
 * rely on the codes and their statuses. A code is never reused for something else.
 */
#ifndef PL_HTTP_PROBLEM_H
#define PL_HTTP_PROBLEM_H

#include "base/compiler.h"
#include "base/error.h"
#include "http/limit.h"
#include "http/request.h"

/* Seconds after which a refused client may come again, unless the caller says otherwise. */
#define PL_RETRY_AFTER_S 1

/* X(NAME, "code", status, "title"). A 429 or 503 carries Retry-After. */
#define PL_PROBLEMS(X)                                                                             \
    X(MALFORMED_REQUEST, "malformed-request", 400, "The request is malformed")                     \
    X(INVALID_JSON, "invalid-json", 400, "The body is not acceptable JSON")                        \
    X(INVALID_QUERY, "invalid-query", 400, "The query is not acceptable")                          \
    X(UNAUTHENTICATED, "unauthenticated", 401, "Authentication is required")                       \
    X(INVALID_TOKEN, "invalid-token", 401, "The token is not valid")                               \
    X(SESSION_ENDED, "session-ended", 401, "The session has ended")                                \
    X(INVALID_CREDENTIALS, "invalid-credentials", 401, "The username or the password is wrong")    \
    X(FORBIDDEN, "forbidden", 403, "The caller may not do this")                                   \
    X(RECIPIENT_UNAVAILABLE, "recipient-unavailable", 403, "The recipient is not available")       \
    X(CROSS_SITE_REQUEST, "cross-site-request", 403, "A cookie is not accepted from another site") \
    X(NOT_FOUND, "not-found", 404, "There is no such resource")                                    \
    X(USER_NOT_FOUND, "user-not-found", 404, "There is no such user")                              \
    X(CONVERSATION_NOT_FOUND, "conversation-not-found", 404, "There is no such conversation")      \
    X(RECIPIENT_NOT_FOUND, "recipient-not-found", 404, "The recipient does not exist")             \
    X(MESSAGE_NOT_FOUND, "message-not-found", 404, "There is no such message")                     \
    X(BLOCK_NOT_FOUND, "block-not-found", 404, "There is no such block")                           \
    X(SESSION_NOT_FOUND, "session-not-found", 404, "There is no such session")                     \
    X(GROUP_NOT_FOUND, "group-not-found", 404, "There is no such group")                           \
    X(MEMBER_NOT_FOUND, "member-not-found", 404, "The group has no such member")                   \
    X(INVITATION_NOT_FOUND, "invitation-not-found", 404, "There is no such invitation")            \
    X(METHOD_NOT_ALLOWED, "method-not-allowed", 405, "The resource does not have this method")     \
    X(USERNAME_TAKEN, "username-taken", 409, "The username is taken")                              \
    X(CLIENT_MESSAGE_ID_REUSED, "client-message-id-reused", 409,                                   \
      "The clientMessageId was used for another message")                                          \
    X(CLIENT_GROUP_ID_REUSED, "client-group-id-reused", 409,                                       \
      "The clientGroupId was used for another group")                                              \
    X(GROUP_FULL, "group-full", 409, "The group is full")                                          \
    X(TOO_MANY_REACTIONS, "too-many-reactions", 409, "There are too many reactions")               \
    X(TOO_MANY_BLOCKS, "too-many-blocks", 409, "There are too many blocks")                        \
    X(BODY_TOO_LARGE, "body-too-large", 413, "The body is too large")                              \
    X(MESSAGE_TOO_LARGE, "message-too-large", 413, "The message is too large")                     \
    X(UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", 415, "The body must be application/json")  \
    X(EXPECTATION_FAILED, "expectation-failed", 417, "The expectation cannot be met")              \
    X(VALIDATION_FAILED, "validation-failed", 422, "The request is not valid")                     \
    X(UNKNOWN_FIELD, "unknown-field", 422, "The body has a field that is not known")               \
    X(PASSWORD_TOO_COMMON, "password-too-common", 422, "The password is too common")               \
    X(PAGE_TOO_DEEP, "page-too-deep", 422, "The page is too deep")                                 \
    X(TOO_MANY_REQUESTS, "too-many-requests", 429, "Too many requests")                            \
    X(HEADERS_TOO_LARGE, "headers-too-large", 431, "The header section is too large")              \
    X(INTERNAL_ERROR, "internal-error", 500, "The server failed")                                  \
    X(UNAVAILABLE, "unavailable", 503, "The database is away")                                     \
    X(OUTCOME_UNKNOWN, "outcome-unknown", 503, "It is not known whether the change was made")      \
    X(OVERLOADED, "overloaded", 503, "The server is overloaded")                                   \
    X(DEADLINE_EXCEEDED, "deadline-exceeded", 503, "The request took too long")                    \
    X(SHUTTING_DOWN, "shutting-down", 503, "The server is shutting down")

typedef enum pl_problem {
#define X(name, code, status, title) PL_PROBLEM_##name,
    PL_PROBLEMS(X)
#undef X
        PL_PROBLEM_COUNT
} pl_problem_t;

const char *pl_problem_code(pl_problem_t problem);
int pl_problem_status(pl_problem_t problem);
const char *pl_problem_title(pl_problem_t problem);

/* The problem that clients get for an error of a lower layer. */
pl_problem_t pl_problem_of_error(enum pl_error_code code);

/* The fields that are wrong: `pointer` is a JSON pointer into the body ("/recipientId"), or "?name"
 * for a query parameter. Further fields than these are left out, and longer texts are cut. */
#define PL_PROBLEM_MAX_FIELDS 8
typedef struct pl_problem_fields {
    size_t count;
    struct {
        char pointer[64];
        char detail[160];
    } items[PL_PROBLEM_MAX_FIELDS];
} pl_problem_fields_t;

void pl_problem_fields_add(pl_problem_fields_t *fields, const char *pointer, const char *format,
                           ...) PL_PRINTF(3, 4);

/* Answers with the problem; `format` makes the detail. Like every reply it does nothing to a
 * request that is not live. */
void pl_problem_reply(pl_request_t *request, pl_problem_t problem, const char *format, ...)
    PL_PRINTF(3, 4);

/* The same, with further headers: what `reply` has besides the status and the content type. */
void pl_problem_reply_with(pl_request_t *request, pl_problem_t problem, pl_reply_t *reply,
                           const char *format, ...) PL_PRINTF(4, 5);

/* Answers with the problem (validation-failed or unknown-field) and those fields, at least one. The
 * detail repeats them, so that a client that shows only the detail shows which fields are wrong. */
void pl_problem_reply_fields(pl_request_t *request, pl_problem_t problem,
                             const pl_problem_fields_t *fields);

/* The same for one field that is not valid (422). */
void pl_problem_reply_field(pl_request_t *request, const char *pointer, const char *format, ...)
    PL_PRINTF(3, 4);

/* Refuses the request because of the limit, and counts that. */
void pl_problem_reply_limit(pl_request_t *request, pl_limit_t limit);

/* A failure of a lower layer. The error's own text stays in the server: clients get the code's
 * title. */
void pl_problem_reply_error(pl_request_t *request, const pl_error_t *error);

/* Writes the problem's JSON. `request_id` and `fields` may be NULL. */
void pl_problem_write(pl_buffer_t *out, pl_problem_t problem, const char *detail,
                      const char *request_id, const pl_problem_fields_t *fields);

#endif
