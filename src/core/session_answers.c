#include "core/session_answers.h"

#include "base/hash.h"
#include "base/memory.h"

/* 128 KiB. */
#define SLOTS 4096

/* Only good tokens are here: the others are refused from memory from their first check on. */
typedef struct answer {
    int64_t user_id;
    int64_t session_id;
    int64_t issued_s;
    int64_t epoch;
} answer_t;

struct pl_session_answers {
    answer_t slots[SLOTS];
};

pl_session_answers_t *pl_session_answers_create(void)
{
    return pl_calloc(1, sizeof(pl_session_answers_t));
}

/* All tokens of a session have one answer; each token without one has its own. */
static answer_t answer_of(const pl_token_claims_t *claims, int64_t epoch)
{
    return (answer_t){
        .user_id = claims->user_id,
        .session_id = claims->session_id,
        .issued_s = claims->session_id == 0 ? claims->issued_s : 0,
        .epoch = epoch,
    };
}

static uint64_t slot_of(const answer_t *answer)
{
    return pl_hash_id(answer->user_id ^ answer->session_id ^ answer->issued_s) % SLOTS;
}

bool pl_session_answers_has(const pl_session_answers_t *answers, const pl_token_claims_t *claims,
                            int64_t epoch)
{
    const answer_t wanted = answer_of(claims, epoch);
    const answer_t *slot = &answers->slots[slot_of(&wanted)];

    return slot->user_id == wanted.user_id && slot->session_id == wanted.session_id &&
           slot->issued_s == wanted.issued_s && slot->epoch == wanted.epoch;
}

void pl_session_answers_add(pl_session_answers_t *answers, const pl_token_claims_t *claims,
                            int64_t epoch)
{
    const answer_t answer = answer_of(claims, epoch);

    answers->slots[slot_of(&answer)] = answer;
}
