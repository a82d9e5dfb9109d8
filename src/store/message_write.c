#include "store/message_write.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/memory.h"

_Static_assert(offsetof(pl_message_write_t, op) == 0, "pl_message_write_of casts");

enum column {
    COLUMN_MAILBOX_PREVIOUS,
    COLUMN_MAILBOX_VERSIONS,
    COLUMN_FIRST_MESSAGES,
    COLUMN_FIRST_VERSIONS,
    COLUMN_FIRST_EQUALS,
    COLUMN_COPY_VERSIONS,
    COLUMN_CONVERSATION_USERS,
    COLUMN_CONVERSATION_PEERS,
    COLUMN_CONVERSATION_UNREAD,
    COLUMN_CONVERSATION_READ,
    COLUMN_CONVERSATION_PEER_READ,
    COLUMN_CONVERSATION_PEER_DELIVERED,
    COLUMN_CONVERSATION_CLEARED,
    COLUMN_CONVERSATION_MUTED,
    COLUMN_CONVERSATION_FLAGS,
};

/* first_versions of messages that a mailbox refuses. */
#define REFUSED_GONE (-1)
#define REFUSED_BLOCKED (-2)

static pl_message_write_t *at(pl_op_t *const *ops, size_t i)
{
    return (pl_message_write_t *)ops[i];
}

void pl_message_write_init(pl_message_write_t *write)
{
    uint64_t hash = pl_hash64(&write->mailbox_id, sizeof(write->mailbox_id));

    hash = pl_hash64_continue(hash, &write->peer_id, sizeof(write->peer_id));
    hash = pl_hash64_continue(hash, &write->message_id, sizeof(write->message_id));
    hash = pl_hash64_continue(hash, write->client_message_id, write->client_message_id_len);
    write->op.kind = &pl_message_write_kind;
    write->op.shard = (int)pl_id_shard(write->mailbox_id);
    write->op.key = hash;
}

/* ---- the batch in the form of parley.write_messages: mailboxes, primary copies, sender's
 * copies ---- */

/* One copy that the batch may store. */
typedef struct slot {
    pl_message_write_t *write;
    int64_t user_id;
    int64_t time_us;
    size_t number;  /* its place in the batch */
    size_t first;   /* a sender's copy of a primary copy of the batch: the latter's index + 1 */
    size_t mailbox; /* index into the mailboxes */
    size_t ordinal; /* its place among the mailbox's slots, from 1 on */
    bool is_copy;
    bool has_waiters;
} slot_t;

typedef struct mailbox {
    int64_t user_id;
    int64_t time_us;
    size_t slots;
    bool has_waiters;
} mailbox_t;

typedef struct plan {
    slot_t *slots; /* in the batch's order; a sender's copy follows its primary copy */
    size_t slots_count;
    size_t firsts_count;
    bool has_extras;
    mailbox_t *mailboxes; /* ascending */
    size_t mailboxes_count;
} plan_t;

static void add_slots(plan_t *plan, pl_message_write_t *write)
{
    slot_t *slot = &plan->slots[plan->slots_count];

    *slot = (slot_t){.write = write,
                     .user_id = write->mailbox_id,
                     .number = plan->slots_count++,
                     .is_copy = write->message_id > 0,
                     .has_waiters = write->has_waiters,
                     .time_us = write->message_id > 0 ? pl_message_id_timestamp(write->message_id)
                                                      : write->received_us};
    if (slot->is_copy)
        return;
    plan->firsts_count++;
    if (write->copy_mode != PL_COPY_HERE)
        return;
    slot[1] = (slot_t){.write = write,
                       .user_id = write->sender_id,
                       .number = plan->slots_count++,
                       .is_copy = true,
                       .has_waiters = write->sender_has_waiters,
                       .time_us = write->received_us,
                       .first = plan->firsts_count};
}

static int compare_slots(const void *a, const void *b)
{
    const slot_t *left = *(slot_t *const *)a, *right = *(slot_t *const *)b;
    if (left->user_id != right->user_id)
        return left->user_id < right->user_id ? -1 : 1;
    return (left->number > right->number) - (left->number < right->number);
}

/* Gives each slot its place in its mailbox. Times increase within a mailbox, so that ids do. */
static void group_by_mailbox(plan_t *plan)
{
    slot_t **sorted = pl_malloc(plan->slots_count * sizeof(slot_t *));
    mailbox_t *mailbox = NULL;

    for (size_t i = 0; i < plan->slots_count; i++)
        sorted[i] = &plan->slots[i];
    qsort(sorted, plan->slots_count, sizeof(slot_t *), compare_slots);
    for (size_t i = 0; i < plan->slots_count; i++) {
        slot_t *slot = sorted[i];
        if (mailbox == NULL || mailbox->user_id != slot->user_id) {
            mailbox = &plan->mailboxes[plan->mailboxes_count++];
            *mailbox = (mailbox_t){.user_id = slot->user_id};
        }
        if (!slot->is_copy && slot->time_us <= mailbox->time_us)
            slot->time_us = mailbox->time_us + 1;
        if (slot->time_us > mailbox->time_us)
            mailbox->time_us = slot->time_us;
        mailbox->has_waiters = mailbox->has_waiters || slot->has_waiters;
        slot->mailbox = plan->mailboxes_count - 1;
        slot->ordinal = ++mailbox->slots;
    }
    free(sorted);
}

static void plan_make(plan_t *plan, pl_op_t *const *ops, size_t count)
{
    *plan = (plan_t){.slots = pl_malloc(2 * count * sizeof(slot_t)),
                     .mailboxes = pl_malloc(2 * count * sizeof(mailbox_t))};
    for (size_t i = 0; i < count; i++) {
        add_slots(plan, at(ops, i));
        plan->has_extras = plan->has_extras || at(ops, i)->extra != NULL;
    }
    group_by_mailbox(plan);
    for (size_t i = 0; i < plan->slots_count; i++) {
        slot_t *slot = &plan->slots[i];
        if (slot->first > 0)
            slot->write->copy_mailbox_index = slot->mailbox;
        else
            slot->write->mailbox_index = slot->mailbox;
    }
}

static void plan_dispose(plan_t *plan)
{
    free(plan->slots);
    free(plan->mailboxes);
}

#define MAILBOX_ARRAY(params, plan, type, expression)                \
    do {                                                             \
        pl_params_##type##_array((params), (plan)->mailboxes_count); \
        for (size_t i = 0; i < (plan)->mailboxes_count; i++) {       \
            const mailbox_t *mailbox = &(plan)->mailboxes[i];        \
            pl_params_element_##type((params), (expression));        \
        }                                                            \
        pl_params_array_end(params);                                 \
    } while (0)

#define SLOT_ARRAY(params, plan, copies, type, ...)                                              \
    do {                                                                                         \
        pl_params_##type##_array((params), (copies) ? (plan)->slots_count - (plan)->firsts_count \
                                                    : (plan)->firsts_count);                     \
        for (size_t i = 0; i < (plan)->slots_count; i++) {                                       \
            const slot_t *slot = &(plan)->slots[i];                                              \
            if (slot->is_copy == (copies))                                                       \
                pl_params_element_##type((params), __VA_ARGS__);                                 \
        }                                                                                        \
        pl_params_array_end(params);                                                             \
    } while (0)

static int64_t peer_of(const slot_t *slot)
{
    const pl_message_write_t *write = slot->write;
    return slot->first > 0 ? write->mailbox_id : write->peer_id;
}

static void encode_slots(pl_params_t *params, const plan_t *plan, bool copies)
{
    SLOT_ARRAY(params, plan, copies, int32, (int32_t)slot->mailbox + 1);
    SLOT_ARRAY(params, plan, copies, int32, (int32_t)slot->ordinal);
    SLOT_ARRAY(params, plan, copies, int64, peer_of(slot));
    if (copies) {
        SLOT_ARRAY(params, plan, copies, int32, (int32_t)slot->first);
        SLOT_ARRAY(params, plan, copies, int64, slot->write->message_id);
    }
    SLOT_ARRAY(params, plan, copies, text, slot->write->client_message_id,
               slot->write->client_message_id_len);
    SLOT_ARRAY(params, plan, copies, text, slot->write->content, slot->write->content_len);
    if (!copies) {
        SLOT_ARRAY(params, plan, copies, int64, slot->time_us);
        SLOT_ARRAY(params, plan, copies, bool, slot->write->copy_mode == PL_COPY_OUTBOX);
    }
}

/* Empty if no message has any: SQL takes missing elements as null. */
static void encode_extras(pl_params_t *params, const plan_t *plan, bool copies)
{
    if (plan->has_extras) {
        SLOT_ARRAY(params, plan, copies, text, slot->write->extra, slot->write->extra_len);
    } else {
        pl_params_text_array(params, 0);
        pl_params_array_end(params);
    }
}

static void encode_awaited(pl_params_t *params, const plan_t *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->mailboxes_count; i++)
        count += plan->mailboxes[i].has_waiters;
    pl_params_int64_array(params, count);
    for (size_t i = 0; i < plan->mailboxes_count; i++)
        if (plan->mailboxes[i].has_waiters)
            pl_params_element_int64(params, plan->mailboxes[i].user_id);
    pl_params_array_end(params);
}

static void encode(pl_params_t *params, pl_op_t *const *ops, size_t count)
{
    plan_t plan;

    plan_make(&plan, ops, count);
    MAILBOX_ARRAY(params, &plan, int64, mailbox->user_id);
    MAILBOX_ARRAY(params, &plan, int32, (int32_t)mailbox->slots);
    MAILBOX_ARRAY(params, &plan, int64, mailbox->time_us);
    encode_slots(params, &plan, false);
    encode_slots(params, &plan, true);
    encode_extras(params, &plan, false);
    encode_extras(params, &plan, true);
    encode_awaited(params, &plan);
    plan_dispose(&plan);
}

/* ---- the answer ---- */

/* A conversation row of a mailbox with waiters, in which something was stored. */
typedef struct conversation_row {
    int64_t user_id;
    int64_t peer_id;
    pl_conversation_state_t state;
} conversation_row_t;

typedef struct answer {
    pl_result_array_t previous, versions;
    pl_result_array_t first_messages, first_versions, first_equals;
    pl_result_array_t copy_versions;
    conversation_row_t *conversations; /* sorted */
    size_t conversations_count;
} answer_t;

static void read_answer(answer_t *answer, const PGresult *result)
{
    *answer = (answer_t){
        .previous = pl_result_array(result, 0, COLUMN_MAILBOX_PREVIOUS),
        .versions = pl_result_array(result, 0, COLUMN_MAILBOX_VERSIONS),
        .first_messages = pl_result_array(result, 0, COLUMN_FIRST_MESSAGES),
        .first_versions = pl_result_array(result, 0, COLUMN_FIRST_VERSIONS),
        .first_equals = pl_result_array(result, 0, COLUMN_FIRST_EQUALS),
        .copy_versions = pl_result_array(result, 0, COLUMN_COPY_VERSIONS),
    };
}

static int compare_conversations(const void *a, const void *b)
{
    const conversation_row_t *left = a, *right = b;
    if (left->user_id != right->user_id)
        return left->user_id < right->user_id ? -1 : 1;
    return (left->peer_id > right->peer_id) - (left->peer_id < right->peer_id);
}

/* The rows come in no order. */
static void read_conversations(answer_t *answer, const PGresult *result)
{
    pl_result_array_t users = pl_result_array(result, 0, COLUMN_CONVERSATION_USERS);
    pl_result_array_t peers = pl_result_array(result, 0, COLUMN_CONVERSATION_PEERS);
    pl_result_array_t unread = pl_result_array(result, 0, COLUMN_CONVERSATION_UNREAD);
    pl_result_array_t read = pl_result_array(result, 0, COLUMN_CONVERSATION_READ);
    pl_result_array_t peer_read = pl_result_array(result, 0, COLUMN_CONVERSATION_PEER_READ);
    pl_result_array_t peer_delivered = pl_result_array(result, 0,
                                                       COLUMN_CONVERSATION_PEER_DELIVERED);
    pl_result_array_t cleared = pl_result_array(result, 0, COLUMN_CONVERSATION_CLEARED);
    pl_result_array_t muted = pl_result_array(result, 0, COLUMN_CONVERSATION_MUTED);
    pl_result_array_t flags = pl_result_array(result, 0, COLUMN_CONVERSATION_FLAGS);

    answer->conversations_count = users.count;
    answer->conversations = pl_calloc(users.count + 1, sizeof(conversation_row_t));
    for (size_t i = 0; i < users.count; i++)
        answer->conversations[i] = (conversation_row_t){
            .user_id = pl_result_array_int64(&users, i),
            .peer_id = pl_result_array_int64(&peers, i),
            .state = {
                .unread_count = pl_result_array_int32(&unread, i),
                .read_up_to = pl_result_array_int64(&read, i),
                .peer_read_up_to = pl_result_array_int64(&peer_read, i),
                .peer_delivered_up_to = pl_result_array_int64(&peer_delivered, i),
                .cleared_up_to = pl_result_array_int64(&cleared, i),
                .muted_until = pl_result_array_int64(&muted, i),
                .archived = (pl_result_array_int32(&flags, i) & PL_CONVERSATION_ARCHIVED) != 0,
                .pinned = (pl_result_array_int32(&flags, i) & PL_CONVERSATION_PINNED) != 0,
                .marked_unread = (pl_result_array_int32(&flags, i) &
                                  PL_CONVERSATION_MARKED_UNREAD) != 0,
            }};
    qsort(answer->conversations, users.count, sizeof(conversation_row_t), compare_conversations);
}

static void find_conversation(pl_mailbox_change_t *change, const answer_t *answer, int64_t user_id,
                              int64_t peer_id)
{
    const conversation_row_t key = {.user_id = user_id, .peer_id = peer_id};
    const conversation_row_t *found = bsearch(&key, answer->conversations,
                                              answer->conversations_count, sizeof(key),
                                              compare_conversations);
    change->has_conversation = found != NULL;
    if (found != NULL)
        change->conversation = found->state;
}

/* `version` is that of the row. If it is 0, or not above the mailbox's previous version, nothing
 * was stored. */
static pl_mailbox_change_t change_of(const answer_t *answer, size_t mailbox, int64_t user_id,
                                     int64_t peer_id, int64_t version)
{
    pl_mailbox_change_t change = {
        .version = version,
        .mailbox_previous = pl_result_array_int64(&answer->previous, mailbox),
        .mailbox_version = pl_result_array_int64(&answer->versions, mailbox),
    };
    if (version > change.mailbox_previous)
        find_conversation(&change, answer, user_id, peer_id);
    return change;
}

static void decode_first(pl_message_write_t *write, const answer_t *answer, size_t index)
{
    write->stored_id = pl_result_array_int64(&answer->first_messages, index);
    write->change = change_of(answer, write->mailbox_index, write->mailbox_id, write->peer_id,
                              pl_result_array_int64(&answer->first_versions, index));
    if (write->change.version > write->change.mailbox_previous)
        write->status = PL_WRITE_STORED;
    else if (write->change.version == REFUSED_GONE)
        write->status = PL_WRITE_GONE;
    else if (write->change.version == REFUSED_BLOCKED)
        write->status = PL_WRITE_BLOCKED;
    else
        write->status = pl_result_array_bool(&answer->first_equals, index) ? PL_WRITE_DUPLICATE
                                                                           : PL_WRITE_REUSED;
}

static void decode_copy(pl_message_write_t *write, const answer_t *answer, size_t index)
{
    write->stored_id = write->message_id;
    write->change = change_of(answer, write->mailbox_index, write->mailbox_id, write->peer_id,
                              pl_result_array_int64(&answer->copy_versions, index));
    write->status = write->change.version > 0 ? PL_WRITE_STORED : PL_WRITE_DUPLICATE;
}

static bool decode(PGresult *result, pl_op_t *const *ops, size_t count)
{
    answer_t answer;
    size_t firsts = 0, copies = 0;

    read_answer(&answer, result);
    read_conversations(&answer, result);
    for (size_t i = 0; i < count; i++) {
        pl_message_write_t *write = at(ops, i);
        if (write->message_id > 0)
            decode_copy(write, &answer, copies++);
        else
            decode_first(write, &answer, firsts++);
        if (write->message_id == 0 && write->copy_mode == PL_COPY_HERE)
            write->copy_change = change_of(&answer, write->copy_mailbox_index, write->sender_id,
                                           write->mailbox_id,
                                           pl_result_array_int64(&answer.copy_versions, copies++));
    }
    free(answer.conversations);
    return false;
}

static bool have_one_key(const pl_message_write_t *a, const pl_message_write_t *b)
{
    return a->mailbox_id == b->mailbox_id && a->peer_id == b->peer_id &&
           a->message_id == b->message_id && a->client_message_id_len == b->client_message_id_len &&
           memcmp(a->client_message_id, b->client_message_id, a->client_message_id_len) == 0;
}

static bool is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* A retry in the same batch. The stored message has the leader's content or another; a reason to
 * refuse the leader is a reason to refuse the retry too. */
static bool adopt(pl_op_t *op, const pl_op_t *leader_op)
{
    pl_message_write_t *write = (pl_message_write_t *)op;
    const pl_message_write_t *leader = pl_message_write_of(leader_op);
    bool is_equal = is_same(write->content, write->content_len, leader->content,
                            leader->content_len) &&
                    is_same(write->extra, write->extra_len, leader->extra, leader->extra_len);

    if (!have_one_key(write, leader) || (leader->status == PL_WRITE_REUSED && !is_equal))
        return false;
    write->stored_id = leader->stored_id;
    write->change = leader->change;
    write->status = leader->status;
    if (leader->status == PL_WRITE_STORED || leader->status == PL_WRITE_DUPLICATE)
        write->status = is_equal ? PL_WRITE_DUPLICATE : PL_WRITE_REUSED;
    return true;
}

static void on_committed(void *context, pl_op_t *const *ops, size_t count)
{
    pl_commit_listener_t *listener = context;

    for (size_t i = 0; i < count; i++)
        pl_clock_advance_past(pl_message_id_timestamp(at(ops, i)->stored_id));
    if (listener != NULL)
        listener->on_commit(listener, ops, count);
}

const pl_op_kind_t pl_message_write_kind = {
    .name = "write_messages",
    .sql = "SELECT * FROM parley.write_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
           "$13, $14, $15, $16, $17, $18, $19, $20)",
    .max_ops = SIZE_MAX,
    .encode = encode,
    .decode = decode,
    .on_committed = on_committed,
    .adopt = adopt,
};
