/* What the long-poll and the stream share. */
#ifndef PL_API_UPDATES_PRIVATE_H
#define PL_API_UPDATES_PRIVATE_H

#include "api/updates.h"
#include "push/follower.h"

struct pl_updates {
    pl_api_t *api;
    pl_follower_settings_t follow;
    h2o_linklist_t polls;
    h2o_linklist_t streams;
    bool draining;
};

void pl_poll_drain(pl_updates_t *updates);

void pl_event_stream_drain(pl_updates_t *updates);

/* Whether the caller may begin to wait. False: the request is answered. */
bool pl_updates_admit(const pl_updates_t *updates, pl_request_t *request);

/* The caller has begun to wait, and so is online. False: the table is full, and they are not to
 * leave. */
bool pl_updates_enter(const pl_updates_t *updates, int64_t user_id);
void pl_updates_leave(const pl_updates_t *updates, int64_t user_id);

/* The client has everything up to `cursor`; 0 and PL_FOLLOW_FROM_NOW say nothing. */
void pl_updates_note_cursor(const pl_updates_t *updates, int64_t user_id, int64_t cursor);

/* Answers for a follower that could not be created or has failed. */
void pl_updates_reply_error(pl_request_t *request, enum pl_error_code error);
void pl_updates_reply_too_many(pl_request_t *request);

/* A Delta without changes. */
void pl_empty_delta_to_json(pl_buffer_t *out, int64_t cursor);

#endif
