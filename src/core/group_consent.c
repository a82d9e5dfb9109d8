#include "core/group_consent.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/invitation.h"

/* The part of a question that is about one user. */
typedef struct part {
    pl_consent_question_t *question;
    pl_consent_read_t consent;
    pl_written_read_t written;
} part_t;

struct pl_consent_question {
    pl_core_t *core;
    pl_consent_answer_fn on_answer;
    void *owner;
    size_t open; /* reads without an answer */
    enum pl_error_code error;
    bool is_abandoned;
    bool *may_add;
    size_t count;
    part_t parts[];
};

static void answer(pl_consent_question_t *question)
{
    question->on_answer(question->owner, question->error, question->may_add);
    free(question->may_add);
    free(question);
}

/* Notes how a read has ended. */
static void close_read(pl_consent_question_t *question, const pl_op_t *op)
{
    if (op->error == PL_ERROR_SQL)
        pl_log_error("operation-failed", PL_S("statement", op->kind->name),
                     PL_S("sqlstate", op->sqlstate));
    if (op->error != PL_OK)
        question->error = op->error;
    assert(question->open > 0);
    question->open--;
}

static void submit(pl_consent_question_t *question, pl_op_t *op, void (*on_done)(pl_op_t *op))
{
    op->on_done = on_done;
    op->deadline_ms = pl_core_deadline_ms(question->core);
    question->open++;
    if (pl_lane_submit(pl_cluster_read_lane(question->core->deps.cluster, op->shard), op) != 0)
        pl_op_end_overloaded(op);
}

/* ---- messages ---- */

static void on_written(pl_op_t *op)
{
    part_t *part = H2O_STRUCT_FROM_MEMBER(part_t, written.op, op);
    pl_consent_question_t *question = part->question;

    close_read(question, op);
    question->may_add[part - question->parts] = part->written.has_written;
    if (question->open == 0)
        answer(question);
}

/* Returns whether there is something to ask. */
static bool ask_written(pl_consent_question_t *question)
{
    for (size_t i = 0; i < question->count; i++) {
        part_t *part = &question->parts[i];
        if (part->consent.consent != PL_CONSENT_CONTACTS)
            continue;
        part->written.user_id = part->consent.adder_id;
        part->written.other_id = part->consent.user_id;
        part->written.op.kind = &pl_written_read_kind;
        part->written.op.shard = (int)pl_id_shard(part->written.user_id);
        part->written.op.user_id = part->written.user_id;
        submit(question, &part->written.op, on_written);
    }
    return question->open > 0;
}

/* ---- consents ---- */

static void on_consent(pl_op_t *op)
{
    part_t *part = H2O_STRUCT_FROM_MEMBER(part_t, consent.op, op);
    pl_consent_question_t *question = part->question;

    close_read(question, op);
    question->may_add[part - question->parts] = part->consent.consent == PL_CONSENT_EVERYONE;
    if (question->open > 0)
        return;
    if (question->is_abandoned && question->error == PL_OK)
        question->error = PL_ERROR_DEADLINE;
    if (question->error != PL_OK || !ask_written(question))
        answer(question);
}

pl_consent_question_t *pl_consent_ask(pl_core_t *core, int64_t adder_id, const int64_t *user_ids,
                                      size_t count, pl_consent_answer_fn on_answer, void *owner)
{
    pl_consent_question_t *question = pl_calloc(1, sizeof(*question) +
                                                       count * sizeof(question->parts[0]));

    assert(count > 0);
    question->core = core;
    question->on_answer = on_answer;
    question->owner = owner;
    question->count = count;
    question->may_add = pl_calloc(count, sizeof(*question->may_add));
    for (size_t i = 0; i < count; i++) {
        part_t *part = &question->parts[i];
        part->question = question;
        part->consent.adder_id = adder_id;
        part->consent.user_id = user_ids[i];
        part->consent.op.kind = &pl_consent_read_kind;
        part->consent.op.shard = (int)pl_id_shard(user_ids[i]);
        part->consent.op.user_id = part->consent.adder_id;
        submit(question, &part->consent.op, on_consent);
    }
    return question;
}

void pl_consent_abandon(pl_consent_question_t *question)
{
    question->is_abandoned = true;
    for (size_t i = 0; i < question->count; i++) {
        question->parts[i].consent.op.abandoned = true;
        question->parts[i].written.op.abandoned = true;
    }
}
