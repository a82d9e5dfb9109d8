/*
 * Asks which users another user may add to a group: all others are invited.
 *
 *   consents, in the users' databases -> messages, in the adder's shard -> the answer
 *
 * Messages are read only for the users whose setting is `contacts`.
 * The answer is the same for a block, a setting and an erased user.
 */
#ifndef PL_CORE_GROUP_CONSENT_H
#define PL_CORE_GROUP_CONSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

typedef struct pl_consent_question pl_consent_question_t;

/* `may_add`: for each user in the order asked; it dies with the call. With an error there is no
 * answer. Never called from inside pl_consent_ask. The question is gone when it returns. */
typedef void (*pl_consent_answer_fn)(void *owner, enum pl_error_code error, const bool *may_add);

/* Which users adder_id may add. At least one; ids of this system's; the ids are copied. */
pl_consent_question_t *pl_consent_ask(pl_core_t *core, int64_t adder_id, const int64_t *user_ids,
                                      size_t count, pl_consent_answer_fn on_answer, void *owner);

/* Has the reads not sent that still wait in their lanes: the answer is an error then. */
void pl_consent_abandon(pl_consent_question_t *question);

#endif
