#include "core/presence_shown.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/account.h"

/* The part of a question that one database answers. */
typedef struct part {
    pl_shown_read_t read;
    pl_presence_question_t *question;
    struct part *next;
    size_t places[PL_SHOWN_READ_MAX]; /* in the question, of the read's users */
} part_t;

struct pl_presence_question {
    pl_presence_answer_fn on_answer; /* NULL: forgotten */
    void *owner;
    part_t *parts;
    size_t open; /* parts without an answer */
    enum pl_error_code error;
    bool is_shown[PL_SHOWN_READ_MAX];
};

static void question_destroy(pl_presence_question_t *question)
{
    while (question->parts != NULL) {
        part_t *part = question->parts;
        question->parts = part->next;
        free(part);
    }
    free(question);
}

static void on_read(pl_op_t *op)
{
    part_t *part = H2O_STRUCT_FROM_MEMBER(part_t, read.op, op);
    pl_presence_question_t *question = part->question;

    if (op->error == PL_ERROR_SQL)
        pl_log_error("operation-failed", PL_S("statement", op->kind->name),
                     PL_S("sqlstate", op->sqlstate));
    if (op->error != PL_OK)
        question->error = op->error;
    else
        for (size_t i = 0; i < part->read.count; i++)
            question->is_shown[part->places[i]] = part->read.is_shown[i];
    if (--question->open > 0)
        return;
    if (question->on_answer != NULL)
        question->on_answer(question->owner, question->error, question->is_shown);
    question_destroy(question);
}

static part_t *part_of(pl_presence_question_t *question, const pl_cluster_t *cluster,
                       int64_t user_id)
{
    part_t *part = question->parts;

    while (part != NULL && !pl_cluster_share_database(cluster, part->read.user_ids[0], user_id))
        part = part->next;
    if (part != NULL)
        return part;
    part = pl_calloc(1, sizeof(*part));
    part->read.op.kind = &pl_shown_in_shard_kind;
    part->read.op.shard = (int)pl_id_shard(user_id);
    part->read.op.on_done = on_read;
    part->question = question;
    part->next = question->parts;
    question->parts = part;
    question->open++;
    return part;
}

static void add(part_t *part, int64_t user_id, size_t place)
{
    if ((int)pl_id_shard(user_id) != part->read.op.shard)
        part->read.op.kind = &pl_shown_in_database_kind;
    part->places[part->read.count] = place;
    part->read.user_ids[part->read.count++] = user_id;
}

pl_presence_question_t *pl_presence_ask(pl_core_t *core, int64_t viewer_id, const int64_t *user_ids,
                                        size_t count, pl_presence_answer_fn on_answer, void *owner)
{
    const pl_cluster_t *cluster = core->deps.cluster;
    pl_presence_question_t *question = pl_calloc(1, sizeof(*question));

    assert(count > 0 && count <= PL_SHOWN_READ_MAX);
    question->on_answer = on_answer;
    question->owner = owner;
    for (size_t i = 0; i < count; i++)
        add(part_of(question, cluster, user_ids[i]), user_ids[i], i);
    for (part_t *part = question->parts; part != NULL; part = part->next) {
        pl_op_t *op = &part->read.op;
        part->read.viewer_id = viewer_id;
        op->user_id = viewer_id;
        op->deadline_ms = pl_core_deadline_ms(core);
        if (pl_lane_submit(pl_cluster_read_lane(cluster, op->shard), op) != 0)
            pl_op_end_overloaded(op);
    }
    return question;
}

void pl_presence_abandon(pl_presence_question_t *question)
{
    for (part_t *part = question->parts; part != NULL; part = part->next)
        part->read.op.abandoned = true;
}

void pl_presence_forget(pl_presence_question_t **question_p)
{
    pl_presence_question_t *question = *question_p;

    *question_p = NULL;
    if (question == NULL)
        return;
    question->on_answer = NULL;
    pl_presence_abandon(question);
}
