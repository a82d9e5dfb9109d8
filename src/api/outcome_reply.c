/* The table of problems: one for each outcome. */
#include <assert.h>

#include "api/context.h"
#include "http/problem.h"

static const struct {
    pl_problem_t problem;
    const char *detail;
    const char *pointer; /* with PL_PROBLEM_VALIDATION_FAILED */
} answers[PL_OUTCOME_COUNT] = {
    [PL_OUTCOME_NO_ACTOR] = {.problem = PL_PROBLEM_INVALID_TOKEN,
                             .detail = "No user has the token's id."},
    [PL_OUTCOME_USER_NOT_FOUND] = {.problem = PL_PROBLEM_USER_NOT_FOUND,
                                   .detail = "There is no such user."},
    [PL_OUTCOME_RECIPIENT_NOT_FOUND] = {.problem = PL_PROBLEM_RECIPIENT_NOT_FOUND,
                                        .detail = "No user has the recipient's id."},
    [PL_OUTCOME_RECIPIENT_UNAVAILABLE] = {.problem = PL_PROBLEM_RECIPIENT_UNAVAILABLE,
                                          .detail =
                                              "The recipient accepts no messages from the caller."},
    [PL_OUTCOME_USERNAME_TAKEN] = {.problem = PL_PROBLEM_USERNAME_TAKEN,
                                   .detail = "A user with this username exists."},
    [PL_OUTCOME_WRONG_CREDENTIALS] = {.problem = PL_PROBLEM_INVALID_CREDENTIALS,
                                      .detail = "No user has this username and this password."},
    [PL_OUTCOME_PASSWORD_TOO_COMMON] =
        {.problem = PL_PROBLEM_PASSWORD_TOO_COMMON,
         .detail = "The password is among the first that are guessed. Nothing has changed."},
    [PL_OUTCOME_WRONG_PASSWORD] =
        {.problem = PL_PROBLEM_FORBIDDEN,
         .detail = "currentPassword is not the caller's password. Nothing has changed."},
    [PL_OUTCOME_PASSWORD_REQUIRED] = {.problem = PL_PROBLEM_VALIDATION_FAILED,
                                      .detail = "is required: the account has a password",
                                      .pointer = "/currentPassword"},
    [PL_OUTCOME_WRONG_REFRESH_TOKEN] = {.problem = PL_PROBLEM_INVALID_TOKEN,
                                        .detail = "It is no refresh token of a session."},
    [PL_OUTCOME_SESSION_ENDED] = {.problem = PL_PROBLEM_SESSION_ENDED,
                                  .detail = "The token's session has ended. Log in again."},
    [PL_OUTCOME_SESSION_NOT_FOUND] = {.problem = PL_PROBLEM_SESSION_NOT_FOUND,
                                      .detail = "The caller has no such session."},
    [PL_OUTCOME_CONVERSATION_NOT_FOUND] = {.problem = PL_PROBLEM_CONVERSATION_NOT_FOUND,
                                           .detail =
                                               "The caller takes no part in such a conversation."},
    [PL_OUTCOME_MESSAGE_NOT_FOUND] =
        {.problem = PL_PROBLEM_MESSAGE_NOT_FOUND,
         .detail = "The conversation has no such message, or it was deleted."},
    [PL_OUTCOME_REPLY_NOT_FOUND] = {.problem = PL_PROBLEM_VALIDATION_FAILED,
                                    .detail = "no message of the conversation has this id",
                                    .pointer = "/replyTo"},
    [PL_OUTCOME_CLIENT_MESSAGE_ID_REUSED] =
        {.problem = PL_PROBLEM_CLIENT_MESSAGE_ID_REUSED,
         .detail =
             "A message with this clientMessageId and other content is in this conversation."},
    [PL_OUTCOME_NOT_SENDER] = {.problem = PL_PROBLEM_FORBIDDEN,
                               .detail = "Only its sender may do this to a message."},
    [PL_OUTCOME_TOO_MANY_REACTIONS] = {.problem = PL_PROBLEM_TOO_MANY_REACTIONS,
                                       .detail =
                                           "The caller has set 20 reactions to this message."},
    [PL_OUTCOME_TOO_MANY_RECEIPTS] =
        {.problem = PL_PROBLEM_TOO_MANY_REQUESTS,
         .detail = "Too many receipts of this conversation wait to be written."},
    [PL_OUTCOME_TOO_MANY_BLOCKS] = {.problem = PL_PROBLEM_TOO_MANY_BLOCKS,
                                    .detail = "The caller has blocked 10,000 users."},
    [PL_OUTCOME_BLOCK_NOT_FOUND] = {.problem = PL_PROBLEM_BLOCK_NOT_FOUND,
                                    .detail = "The caller has not blocked such a user."},
    [PL_OUTCOME_MISSING] = {.problem = PL_PROBLEM_UNAVAILABLE,
                            .detail = "The other user's copy of the message is not stored yet."},
    [PL_OUTCOME_GROUP_NOT_FOUND] = {.problem = PL_PROBLEM_GROUP_NOT_FOUND,
                                    .detail =
                                        "There is no such group, or the caller is no member."},
    [PL_OUTCOME_GROUP_FULL] = {.problem = PL_PROBLEM_GROUP_FULL,
                               .detail = "The group would have too many members."},
    [PL_OUTCOME_INVITATION_NOT_FOUND] = {.problem = PL_PROBLEM_INVITATION_NOT_FOUND,
                                         .detail =
                                             "The caller has no open invitation to such a group."},
    [PL_OUTCOME_MEMBER_NOT_FOUND] = {.problem = PL_PROBLEM_MEMBER_NOT_FOUND,
                                     .detail = "The group has no such member."},
    [PL_OUTCOME_ROLE_FORBIDS] = {.problem = PL_PROBLEM_FORBIDDEN,
                                 .detail = "The caller's role in the group does not allow it."},
    [PL_OUTCOME_CLIENT_GROUP_ID_REUSED] =
        {.problem = PL_PROBLEM_CLIENT_GROUP_ID_REUSED,
         .detail = "The caller has created another group with this clientGroupId."},
    [PL_OUTCOME_ID_TAKEN] = {.problem = PL_PROBLEM_UNAVAILABLE,
                             .detail = "No id could be found. Try again."},
    [PL_OUTCOME_TOO_MANY_ONLINE] = {.problem = PL_PROBLEM_OVERLOADED,
                                    .detail = "Too many users are online. Nothing has changed."},
    [PL_OUTCOME_OVERLOADED] = {.problem = PL_PROBLEM_OVERLOADED,
                               .detail = "A queue is full. Nothing has changed."},
    [PL_OUTCOME_UNAVAILABLE] = {.problem = PL_PROBLEM_UNAVAILABLE,
                                .detail = "The database is away."},
    [PL_OUTCOME_DEADLINE] = {.problem = PL_PROBLEM_DEADLINE_EXCEEDED,
                             .detail = "The request took too long."},
    [PL_OUTCOME_OUTCOME_UNKNOWN] = {.problem = PL_PROBLEM_OUTCOME_UNKNOWN,
                                    .detail = "It is not known whether the change was made."},
    [PL_OUTCOME_SHUTTING_DOWN] = {.problem = PL_PROBLEM_SHUTTING_DOWN,
                                  .detail = "The server is shutting down."},
    [PL_OUTCOME_NO_MEMORY] =
        {.problem = PL_PROBLEM_OVERLOADED,
         .detail = "There was not enough memory to hash the password. Nothing has changed."},
    /* The client has left and does not get this answer. */
    [PL_OUTCOME_ABANDONED] = {.problem = PL_PROBLEM_DEADLINE_EXCEEDED,
                              .detail = "The client has left."},
    [PL_OUTCOME_FAILED] = {.problem = PL_PROBLEM_INTERNAL_ERROR, .detail = "The server failed."},
};

const char *pl_api_outcome_code(const pl_outcome_t *outcome)
{
    if (outcome->code == PL_OUTCOME_ABANDONED)
        return "abandoned";
    return pl_problem_code(answers[outcome->code].problem);
}

void pl_api_reply_outcome(pl_request_t *request, const pl_outcome_t *outcome)
{
    const char *detail = answers[outcome->code].detail;
    const char *pointer = answers[outcome->code].pointer;

    assert(detail != NULL);
    pl_outcome_log(outcome, pl_request_operation(request), pl_request_id(request));
    if (pointer != NULL)
        pl_problem_reply_field(request, pointer, "%s", detail);
    else
        pl_problem_reply(request, answers[outcome->code].problem, "%s", detail);
}
