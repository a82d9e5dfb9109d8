#include "db/batch.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "directory/shard_map.h"

void pl_batch_init(pl_batch_t *batch, size_t limit)
{
    assert(limit >= 1 && limit <= PL_BATCH_MAX);
    memset(batch, 0, sizeof(*batch));
    batch->limit = limit;
}

/* A statement that names no shard's schema works for all shards of the database. */
static bool can_share_statement(const pl_batch_statement_t *statement, const pl_op_t *op)
{
    return statement->kind == op->kind &&
           (op->kind->sql_tail == NULL || op->kind->sql_shards != NULL ||
            statement->shard == op->shard);
}

static bool has_room(const pl_batch_statement_t *statement, const pl_op_t *op)
{
    return statement->count < op->kind->max_ops &&
           statement->weight + op->weight <= PL_STATEMENT_WEIGHT_MAX;
}

/* Index of the statement that `op` joins: the last one that it can share, if that has room; else a
 * new one at the end. */
static size_t find_statement(const pl_batch_t *batch, const pl_op_t *op)
{
    if (op->kind->max_ops > 1)
        for (size_t i = batch->statements_count; i-- > 0;) {
            const pl_batch_statement_t *statement = &batch->statements[i];
            if (can_share_statement(statement, op))
                return has_room(statement, op) ? i : batch->statements_count;
        }
    return batch->statements_count;
}

#define NO_STATEMENT SIZE_MAX

static void add_op(pl_batch_t *batch, pl_op_t *op, pl_op_t *leader, size_t *statement_of)
{
    size_t index = leader != NULL ? NO_STATEMENT : find_statement(batch, op);

    statement_of[batch->count] = index;
    batch->leaders[batch->count] = leader;
    batch->ops[batch->count++] = op;
    if (index == NO_STATEMENT)
        return;
    pl_batch_statement_t *statement = &batch->statements[index];
    if (index == batch->statements_count) {
        batch->statements_count++;
        *statement = (pl_batch_statement_t){.kind = op->kind, .shard = op->shard};
    }
    statement->is_mixed = statement->is_mixed || statement->shard != op->shard;
    statement->count++;
    statement->weight += op->weight;
    batch->weight += op->weight;
}

/* Fills `grouped`: the operations of statement 0 in their order, then those of statement 1, ... */
static void group_by_statement(pl_batch_t *batch, const size_t *statement_of)
{
    size_t next[PL_BATCH_MAX] = {0};
    size_t offset = 0;

    for (size_t i = 0; i < batch->statements_count; i++) {
        next[i] = offset;
        batch->statements[i].ops = batch->grouped + offset;
        offset += batch->statements[i].count;
    }
    for (size_t i = 0; i < batch->count; i++)
        if (statement_of[i] != NO_STATEMENT)
            batch->grouped[next[statement_of[i]]++] = batch->ops[i];
}

/* A hash table of the first operation of each key, with open addressing; at most half full. */
#define LEADERS_SIZE ((size_t)2 * PL_BATCH_MAX)

/* Returns the operation in the batch that has the same key as `op`. If there is none, adds `op` to
 * the table and returns NULL. */
static pl_op_t *find_leader(pl_op_t **leaders, pl_op_t *op)
{
    size_t at = op->key % LEADERS_SIZE;

    if (op->key == 0)
        return NULL;
    while (leaders[at] != NULL && leaders[at]->key != op->key)
        at = (at + 1) % LEADERS_SIZE;
    if (leaders[at] == NULL) {
        leaders[at] = op;
        return NULL;
    }
    return leaders[at];
}

static bool is_full(const pl_batch_t *batch, const pl_op_t *op)
{
    size_t limit = op->kind->is_one_statement_per_batch ? PL_STATEMENT_WEIGHT_MAX
                                                        : PL_BATCH_WEIGHT_MAX;

    return batch->count > 0 && (op->is_retried_alone || batch->weight + op->weight > limit);
}

void pl_batch_fill(pl_batch_t *batch, pl_queue_t *queue)
{
    size_t statement_of[PL_BATCH_MAX];
    pl_op_t *leaders[LEADERS_SIZE] = {NULL};

    assert(batch->count == 0 && !pl_queue_is_empty(queue));
    pl_queue_begin_batch(queue);
    do {
        pl_op_t *op = pl_queue_first(queue);
        if (op == NULL || is_full(batch, op))
            break;
        pl_op_t *leader = find_leader(leaders, op);
        pl_queue_take(queue, leader == NULL ? op->weight : 0);
        add_op(batch, op, leader, statement_of);
        if (op->is_retried_alone)
            break;
    } while (batch->count < batch->limit);
    group_by_statement(batch, statement_of);
}

static const char *statement_sql(pl_batch_t *batch, const pl_batch_statement_t *statement)
{
    const pl_op_kind_t *kind = statement->kind;

    if (kind->sql_tail == NULL)
        return kind->sql;
    if (statement->is_mixed)
        return kind->sql_shards;
    char schema[PL_SHARD_SCHEMA_SIZE];
    pl_shard_schema_format(schema, statement->shard);
    pl_buffer_clear(&batch->sql);
    pl_buffer_append_text(&batch->sql, kind->sql);
    pl_buffer_append_text(&batch->sql, schema);
    pl_buffer_append_text(&batch->sql, kind->sql_tail);
    return pl_buffer_terminate(&batch->sql);
}

int pl_batch_send(pl_batch_t *batch, pl_conn_t *conn)
{
    assert(batch->statements_count > 0 && batch->decoded == 0);
    for (size_t i = 0; i < batch->statements_count; i++) {
        const pl_batch_statement_t *statement = &batch->statements[i];
        pl_params_reset(&batch->params);
        statement->kind->encode(&batch->params, statement->ops, statement->count);
        if (pl_conn_query(conn, statement_sql(batch, statement), &batch->params) != 0)
            return -1;
    }
    return pl_conn_sync(conn);
}

bool pl_batch_decode_next(pl_batch_t *batch, PGresult *result)
{
    assert(batch->decoded < batch->statements_count);
    const pl_batch_statement_t *statement = &batch->statements[batch->decoded++];
    return statement->kind->decode(result, statement->ops, statement->count);
}

void pl_batch_clear(pl_batch_t *batch)
{
    batch->count = 0;
    batch->weight = 0;
    batch->statements_count = 0;
    batch->decoded = 0;
}
