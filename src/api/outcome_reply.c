/* Which problem tells a client of which outcome: one table. */
#include <assert.h>

#include "api/context.h"
#include "http/problem.h"

static const struct {
    pl_problem_t problem;
    const char *detail;
    const char *pointer; /* with PL_PROBLEM_VALIDATION_FAILED */
} answers[PL_OUTCOME_COUNT] = {
    [PL_OUTCOME_NO_ACTOR] = {PL_PROBLEM_INVALID_TOKEN, "No user has the token's id."},
    [PL_OUTCOME_USER_NOT_FOUND] = {PL_PROBLEM_USER_NOT_FOUND, "There is no such user."},
    [PL_OUTCOME_RECIPIENT_NOT_FOUND] = {PL_PROBLEM_RECIPIENT_NOT_FOUND,
                                        "No user has the recipient's id."},
    [PL_OUTCOME_RECIPIENT_UNAVAILABLE] = {PL_PROBLEM_RECIPIENT_UNAVAILABLE,
                                          "The other takes nothing from the caller."},
    [PL_OUTCOME_USERNAME_TAKEN] = {PL_PROBLEM_USERNAME_TAKEN, "A user with this username exists."},
    [PL_OUTCOME_WRONG_CREDENTIALS] = {PL_PROBLEM_INVALID_CREDENTIALS,
                                      "No user has this username and this password."},
    [PL_OUTCOME_WRONG_PASSWORD] =
        {PL_PROBLEM_FORBIDDEN,
         "currentPassword is not the caller's password. Nothing has changed."},
    [PL_OUTCOME_CONVERSATION_NOT_FOUND] = {PL_PROBLEM_CONVERSATION_NOT_FOUND,
                                           "The caller takes no part in such a conversation."},
    [PL_OUTCOME_MESSAGE_NOT_FOUND] = {PL_PROBLEM_MESSAGE_NOT_FOUND,
                                      "The conversation has no such message, or it was deleted."},
    [PL_OUTCOME_REPLY_NOT_FOUND] = {PL_PROBLEM_VALIDATION_FAILED,
                                    "no message of the conversation has this id", "/replyTo"},
    [PL_OUTCOME_CLIENT_MESSAGE_ID_REUSED] =
        {PL_PROBLEM_CLIENT_MESSAGE_ID_REUSED,
         "A message with this clientMessageId and other content is in this conversation."},
    [PL_OUTCOME_NOT_SENDER] = {PL_PROBLEM_FORBIDDEN, "Only its sender may do this to a message."},
    [PL_OUTCOME_TOO_MANY_REACTIONS] = {PL_PROBLEM_TOO_MANY_REACTIONS,
                                       "The caller has set 20 reactions to this message."},
    [PL_OUTCOME_TOO_MANY_RECEIPTS] = {PL_PROBLEM_TOO_MANY_REQUESTS,
                                      "Too many receipts of this conversation wait to be written."},
    [PL_OUTCOME_TOO_MANY_BLOCKS] = {PL_PROBLEM_TOO_MANY_BLOCKS,
                                    "The caller has blocked 10,000 users."},
    [PL_OUTCOME_BLOCK_NOT_FOUND] = {PL_PROBLEM_BLOCK_NOT_FOUND,
                                    "The caller has not blocked such a user."},
    [PL_OUTCOME_MISSING] = {PL_PROBLEM_UNAVAILABLE,
                            "The other's copy of the message is not there yet."},
    [PL_OUTCOME_GROUP_NOT_FOUND] = {PL_PROBLEM_GROUP_NOT_FOUND, "The caller is in no such group."},
    [PL_OUTCOME_GROUP_FULL] = {PL_PROBLEM_GROUP_FULL,
                               "The group would have more members than it may have."},
    [PL_OUTCOME_MEMBER_NOT_FOUND] = {PL_PROBLEM_MEMBER_NOT_FOUND, "The group has no such member."},
    [PL_OUTCOME_ROLE_FORBIDS] = {PL_PROBLEM_FORBIDDEN,
                                 "The caller's role in the group does not allow it."},
    [PL_OUTCOME_CLIENT_GROUP_ID_REUSED] =
        {PL_PROBLEM_CLIENT_GROUP_ID_REUSED,
         "The caller has created another group with this clientGroupId."},
    [PL_OUTCOME_ID_TAKEN] = {PL_PROBLEM_UNAVAILABLE, "No id could be found. Try again."},
    [PL_OUTCOME_TOO_MANY_ONLINE] = {PL_PROBLEM_OVERLOADED,
                                    "Too many users are online. Nothing has changed."},
    [PL_OUTCOME_OVERLOADED] = {PL_PROBLEM_OVERLOADED, "A queue is full. Nothing has changed."},
    [PL_OUTCOME_UNAVAILABLE] = {PL_PROBLEM_UNAVAILABLE, "The database is away."},
    [PL_OUTCOME_DEADLINE] = {PL_PROBLEM_DEADLINE_EXCEEDED, "The request took too long."},
    [PL_OUTCOME_OUTCOME_UNKNOWN] = {PL_PROBLEM_OUTCOME_UNKNOWN,
                                    "It is not known whether the change was made."},
    [PL_OUTCOME_SHUTTING_DOWN] = {PL_PROBLEM_SHUTTING_DOWN, "The server is shutting down."},
    [PL_OUTCOME_NO_MEMORY] =
        {PL_PROBLEM_OVERLOADED,
         "Memory for the password's hash could not be had. Nothing has changed."},
    /* Its client has left: nobody reads it. */
    [PL_OUTCOME_ABANDONED] = {PL_PROBLEM_DEADLINE_EXCEEDED, "The client has left."},
    [PL_OUTCOME_FAILED] = {PL_PROBLEM_INTERNAL_ERROR, "The server failed."},
};

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
