/*
 * Which users show their presence to a viewer: they may hide it, or have blocked the viewer. Their
 * databases are read each time, so that the answer is right after a restart, on all workers, and
 * whichever server took the user's setting.
 */
#ifndef PL_CORE_PRESENCE_SHOWN_H
#define PL_CORE_PRESENCE_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

typedef struct pl_presence_question pl_presence_question_t;

/* `is_shown`: for each user in the order asked; valid during the call. With an error there is no
 * answer. Never called from inside pl_presence_ask. The question is freed when it returns. */
typedef void (*pl_presence_answer_fn)(void *owner, enum pl_error_code error, const bool *is_shown);

/* Which users viewer_id may see. At most PL_SHOWN_READ_MAX users, ids of this system's; the ids are
 * copied. */
pl_presence_question_t *pl_presence_ask(pl_core_t *core, int64_t viewer_id, const int64_t *user_ids,
                                        size_t count, pl_presence_answer_fn on_answer, void *owner);

/* Abandons the reads that are still queued in their lanes: the answer is then an error. */
void pl_presence_abandon(pl_presence_question_t *question);

/* The same, and on_answer will not be called. Does nothing to NULL. */
void pl_presence_forget(pl_presence_question_t **question);

#endif
