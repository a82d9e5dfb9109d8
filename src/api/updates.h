/*
 * fetchUpdates (long-poll, poll.c) and streamUpdates (server-sent events, event_stream.c): both
 * follow the caller's mailbox from a cursor. This is what they share.
 */
#ifndef PL_API_UPDATES_H
#define PL_API_UPDATES_H

#include "api/context.h"
#include "push/follower.h"

/* A loop's long-polls and streams. */
typedef struct pl_updates {
    pl_api_t *api;
    pl_follower_settings_t follow;
    h2o_linklist_t polls;
    h2o_linklist_t streams;
    bool draining; /* new ones are refused */
} pl_updates_t;

/* On the loop's thread; lives as long as the loop. */
pl_updates_t *pl_updates_create(pl_api_t *api);

/* Checks that the caller may start to wait. False: the request is answered. */
bool pl_updates_admit(const pl_updates_t *updates, pl_request_t *request) PL_MUST_USE;

/* Whether the token of a waiting caller does not count any more: then the outcome that says so. */
bool pl_updates_is_ended(const pl_updates_t *updates, const pl_token_claims_t *claims,
                         pl_outcome_t *outcome_r) PL_MUST_USE;

/* The caller has started to wait, and so is online until pl_updates_leave. False: the table of
 * present users is full, and pl_updates_leave must not be called. */
bool pl_updates_enter(const pl_updates_t *updates, int64_t user_id) PL_MUST_USE;
void pl_updates_leave(const pl_updates_t *updates, int64_t user_id);

/* The client has received everything up to `cursor`. Does nothing for 0 and PL_FOLLOW_FROM_NOW. */
void pl_updates_note_cursor(const pl_updates_t *updates, int64_t user_id, int64_t cursor);

/* Answers when the follower's read has failed. */
void pl_updates_reply_error(pl_request_t *request, enum pl_error_code error);
/* Answers when the follower could not be created. */
void pl_updates_reply_too_many(pl_request_t *request);

/* A Delta without changes. */
void pl_empty_delta_to_json(pl_buffer_t *out, int64_t cursor);

#endif
