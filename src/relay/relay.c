#include "relay/relay.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/batch.h"
#include "relay/link.h"
#include "relay/metrics.h"
#include "relay/seen.h"
#include "store/change.h"

/* A first attempt takes less than this: no lane still works on an entry that is older. */
#define GRACE_US (2 * 1000000)
/* After this many pages a sweep of one database pauses; it continues there the next time. So a
 * backlog for an unreachable database does not keep the relay from the others. */
#define PAGES_PER_SWEEP 40

/* The columns of an outbox entry's key: recipient, sender, message; or mailbox, version,
 * ordinal. */
#define KEY_COLUMNS 3

/* Columns of claim_outbox. */
enum copy_column {
    COPY_RECIPIENT_ID,
    COPY_SENDER_ID,
    COPY_MESSAGE_ID,
    COPY_CLIENT_MESSAGE_ID,
    COPY_CONTENT,
    COPY_EXTRA,
};

/* Columns of claim_changes. */
enum change_column {
    CHANGE_MAILBOX_ID,
    CHANGE_VERSION,
    CHANGE_ORDINAL,
    CHANGE_TARGET_ID,
    CHANGE_KIND,
    CHANGE_ARGUMENT,
    CHANGE_MEMBERS,
};

typedef struct keys keys_t;

/* Each database has an outbox for copies of messages and one for changes. */
enum outbox { OUTBOX_COPIES, OUTBOX_CHANGES, OUTBOXES };

/* The progress of the sweeps through one outbox. */
typedef struct progress {
    int64_t after[KEY_COLUMNS]; /* key of the last entry read; the sweep continues after it */
    size_t left;                /* entries that this sweep has not settled so far */
    size_t pending;             /* entries that the last complete sweep did not settle */
    pl_seen_t seen;
} progress_t;

/* One database, as the source of outbox entries and as the target of follow-ups. */
typedef struct database {
    pl_link_t source; /* its transaction holds the locks of the claimed entries */
    pl_link_t target;
    progress_t progress[OUTBOXES];
} database_t;

/* The statements and functions of one outbox. */
typedef struct outbox_kind {
    const char *pending_sql; /* reads the keys after a given key, each with its target's id */
    const char *claim_sql;   /* locks the entries of given keys, and returns their follow-ups */
    const char *settle_sql;  /* deletes the entries of given keys */
    /* When the entry was written: microseconds since 1970. */
    int64_t (*timestamp)(const PGresult *rows, int row);
    /* Writes the follow-ups of the claimed entries. Adds to `settled` the keys of the entries that
     * need nothing more. */
    void (*relay)(pl_relay_t *relay, const PGresult *claimed, keys_t *settled);
} outbox_kind_t;

struct pl_relay {
    const pl_config_t *config;
    const pl_shard_map_t *map;
    pl_commit_listener_t *listener;
    database_t *databases; /* in the map's order */
    pthread_mutex_t lock;  /* of `stopping` and `ended`; all else is the thread's own */
    pthread_cond_t wake;
    bool stopping;
    bool ended;
    pl_params_t params;
};

static bool is_stopping(pl_relay_t *relay)
{
    pthread_mutex_lock(&relay->lock);
    bool stopping = relay->stopping;
    pthread_mutex_unlock(&relay->lock);
    return stopping;
}

static void pause_between_sweeps(pl_relay_t *relay)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += relay->config->relay.interval_s;
    pthread_mutex_lock(&relay->lock);
    while (!relay->stopping && pthread_cond_timedwait(&relay->wake, &relay->lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&relay->lock);
}

/* ---- one page of outbox entries ---- */

/* Keys of outbox entries, as one array per column: the form in which the SQL functions take
 * them. */
struct keys {
    size_t count;
    size_t capacity;
    int64_t *columns[KEY_COLUMNS];
};

static void keys_init(keys_t *keys, size_t capacity)
{
    keys->count = 0;
    keys->capacity = capacity;
    for (int i = 0; i < KEY_COLUMNS; i++)
        keys->columns[i] = pl_calloc(capacity, sizeof(int64_t));
}

static void keys_dispose(keys_t *keys)
{
    for (int i = 0; i < KEY_COLUMNS; i++)
        free(keys->columns[i]);
}

/* The key is in the row's first columns. */
static void keys_add(keys_t *keys, const PGresult *rows, int row)
{
    assert(keys->count < keys->capacity);
    for (int column = 0; column < KEY_COLUMNS; column++)
        keys->columns[column][keys->count] = pl_result_int64(rows, row, column);
    keys->count++;
}

static PGresult *run_with_keys(pl_relay_t *relay, pl_link_t *link, const char *sql,
                               const keys_t *keys)
{
    pl_params_reset(&relay->params);
    for (int column = 0; column < KEY_COLUMNS; column++) {
        pl_params_int64_array(&relay->params, keys->count);
        for (size_t i = 0; i < keys->count; i++)
            pl_params_element_int64(&relay->params, keys->columns[column][i]);
        pl_params_array_end(&relay->params);
    }
    return pl_link_run(link, sql, &relay->params);
}

static PGresult *read_page(pl_relay_t *relay, database_t *database, const progress_t *progress,
                           const outbox_kind_t *kind)
{
    pl_params_reset(&relay->params);
    for (int i = 0; i < KEY_COLUMNS; i++)
        pl_params_int64(&relay->params, progress->after[i]);
    pl_params_int32(&relay->params, (int32_t)relay->config->relay.batch_size);
    return pl_link_run(&database->source, kind->pending_sql, &relay->params);
}

/* The database of a mailbox; NULL if the id's shard does not exist. */
static database_t *database_of(pl_relay_t *relay, int64_t mailbox_id)
{
    unsigned shard = pl_id_shard(mailbox_id);
    if (shard >= (unsigned)relay->map->shards)
        return NULL;
    return &relay->databases[relay->map->database_of_shard[shard]];
}

/* Adds to `due` the keys of the page's entries that are due and whose database is reachable. */
static void collect_due(pl_relay_t *relay, progress_t *progress, const outbox_kind_t *kind,
                        const PGresult *rows, keys_t *due)
{
    int64_t old_us = pl_clock_now_us() - GRACE_US;
    size_t blocked = 0;

    for (int row = 0; row < PQntuples(rows); row++) {
        bool was_seen = pl_seen_add(&progress->seen, pl_result_int64(rows, row, 0),
                                    pl_result_int64(rows, row, 1), pl_result_int64(rows, row, 2));
        if (!was_seen && kind->timestamp(rows, row) >= old_us)
            continue;
        database_t *target = database_of(relay, pl_result_int64(rows, row, KEY_COLUMNS));
        if (target != NULL && pl_link_is_up(&target->target))
            keys_add(due, rows, row);
        else
            blocked++;
    }
    pl_relay_metrics_blocked(blocked);
}

/* ---- follow-ups ---- */

/* Runs operations, all of one kind, in one statement. */
static bool run_ops(pl_relay_t *relay, pl_link_t *target, pl_op_t *const *ops, size_t count)
{
    const pl_op_kind_t *kind = ops[0]->kind;

    assert(count > 0 && kind->sql_tail == NULL); /* its statement works for all shards */

    pl_params_reset(&relay->params);
    kind->encode(&relay->params, ops, count);
    PGresult *result = pl_link_run(target, kind->sql, &relay->params);
    if (result == NULL)
        return false;
    if (!kind->decode(result, ops, count))
        PQclear(result);
    kind->on_committed(relay->listener, ops, count);
    return true;
}

/* Runs operations in one statement. If the database refuses it, each is retried alone, so that one
 * bad entry does not delay the others. Moves the operations that succeeded to the front of `ops`
 * and returns how many they are. */
static size_t run_statement(pl_relay_t *relay, pl_link_t *target, pl_op_t **ops, size_t count)
{
    size_t done = 0;

    if (!pl_link_is_up(target))
        return 0;
    if (run_ops(relay, target, ops, count))
        return count;
    for (size_t i = 0; i < count && count > 1 && target->pg != NULL; i++)
        if (run_ops(relay, target, &ops[i], 1))
            ops[done++] = ops[i];
    return done;
}

/* The same, with as many statements as a lane would need (PL_STATEMENT_WEIGHT_MAX). */
static size_t run_all(pl_relay_t *relay, pl_link_t *target, pl_op_t **ops, size_t count)
{
    size_t done = 0;

    for (size_t first = 0, end; first < count; first = end) {
        size_t weight = ops[first]->weight;
        for (end = first + 1; end < count; end++) {
            if (weight + ops[end]->weight > PL_STATEMENT_WEIGHT_MAX)
                break;
            weight += ops[end]->weight;
        }
        size_t some = run_statement(relay, target, ops + first, end - first);
        memmove(ops + done, ops + first, some * sizeof(*ops));
        done += some;
    }
    return done;
}

static int64_t copy_timestamp(const PGresult *rows, int row)
{
    return pl_message_id_timestamp(pl_result_int64(rows, row, COPY_MESSAGE_ID));
}

static void read_copy(const PGresult *rows, int row, pl_message_write_t *copy)
{
    *copy = (pl_message_write_t){
        .op = {.kind = &pl_message_write_kind},
        .mailbox_id = pl_result_int64(rows, row, COPY_SENDER_ID),
        .peer_id = pl_result_int64(rows, row, COPY_RECIPIENT_ID),
        .sender_id = pl_result_int64(rows, row, COPY_SENDER_ID),
        .message_id = pl_result_int64(rows, row, COPY_MESSAGE_ID),
        .has_waiters = true,
        .client_message_id = PQgetvalue(rows, row, COPY_CLIENT_MESSAGE_ID),
        .client_message_id_len = (size_t)PQgetlength(rows, row, COPY_CLIENT_MESSAGE_ID),
        .content = PQgetvalue(rows, row, COPY_CONTENT),
        .content_len = (size_t)PQgetlength(rows, row, COPY_CONTENT),
    };
    if (!PQgetisnull(rows, row, COPY_EXTRA)) {
        copy->extra = PQgetvalue(rows, row, COPY_EXTRA);
        copy->extra_len = (size_t)PQgetlength(rows, row, COPY_EXTRA);
    }
}

/* Stores the copies, one database after the other. An entry whose message is gone needs no copy and
 * is settled. */
static void relay_copies(pl_relay_t *relay, const PGresult *claimed, keys_t *settled)
{
    size_t count = (size_t)PQntuples(claimed);
    pl_message_write_t *copies = pl_calloc(count, sizeof(*copies));
    pl_op_t **ops = pl_calloc(count, sizeof(pl_op_t *));

    for (size_t i = 0; i < count; i++) {
        read_copy(claimed, (int)i, &copies[i]);
        if (PQgetisnull(claimed, (int)i, COPY_CONTENT))
            keys_add(settled, claimed, (int)i);
    }
    for (int database = 0; database < relay->map->database_count; database++) {
        database_t *target = &relay->databases[database];
        size_t wanted = 0;
        for (size_t i = 0; i < count; i++)
            if (!PQgetisnull(claimed, (int)i, COPY_CONTENT) &&
                database_of(relay, copies[i].mailbox_id) == target)
                ops[wanted++] = &copies[i].op;
        size_t written = run_all(relay, &target->target, ops, wanted);
        for (size_t i = 0; i < written; i++)
            keys_add(settled, claimed, (int)(pl_message_write_of(ops[i]) - copies));
        pl_relay_metrics_stored(written);
    }
    free(copies);
    free(ops);
}

static int64_t change_timestamp(const PGresult *rows, int row)
{
    return pl_result_int64(rows, row, CHANGE_VERSION);
}

/* Makes the changes, one database after the other. A change whose answer is "missing" cannot be
 * made yet; its entry stays. */
static void relay_changes(pl_relay_t *relay, const PGresult *claimed, keys_t *settled)
{
    size_t count = (size_t)PQntuples(claimed);
    pl_change_t *changes = pl_calloc(count, sizeof(*changes));
    pl_op_t **ops = pl_calloc(count, sizeof(pl_op_t *));

    for (size_t i = 0; i < count; i++) {
        changes[i].mailbox_id = pl_result_int64(claimed, (int)i, CHANGE_TARGET_ID);
        changes[i].kind = PQgetvalue(claimed, (int)i, CHANGE_KIND);
        changes[i].argument = PQgetvalue(claimed, (int)i, CHANGE_ARGUMENT);
        changes[i].argument_len = (size_t)PQgetlength(claimed, (int)i, CHANGE_ARGUMENT);
        changes[i].members_count = (size_t)pl_result_int32(claimed, (int)i, CHANGE_MEMBERS);
        pl_change_init(&changes[i]);
    }
    for (int database = 0; database < relay->map->database_count; database++) {
        database_t *target = &relay->databases[database];
        size_t wanted = 0, made = 0;
        for (size_t i = 0; i < count; i++)
            if (database_of(relay, changes[i].mailbox_id) == target)
                ops[wanted++] = &changes[i].op;
        size_t done = run_all(relay, &target->target, ops, wanted);
        for (size_t i = 0; i < done; i++) {
            const pl_change_t *change = H2O_STRUCT_FROM_MEMBER(pl_change_t, op, ops[i]);
            if (pl_change_is(change, "missing"))
                continue;
            keys_add(settled, claimed, (int)(change - changes));
            made++;
        }
        pl_relay_metrics_changed(made);
    }
    for (size_t i = 0; i < count; i++)
        pl_change_dispose(&changes[i]);
    free(changes);
    free(ops);
}

static const outbox_kind_t outbox_kinds[OUTBOXES] = {
    [OUTBOX_COPIES] =
        {
            .pending_sql = "SELECT recipient_id, sender_id, message_id, sender_id "
                           "FROM parley.pending_outbox($1, $2, $3, $4)",
            .claim_sql = "SELECT * FROM parley.claim_outbox($1, $2, $3)",
            .settle_sql = "SELECT parley.settle_outbox($1, $2, $3)",
            .timestamp = copy_timestamp,
            .relay = relay_copies,
        },
    [OUTBOX_CHANGES] =
        {
            .pending_sql = "SELECT * FROM parley.pending_changes($1, $2, $3, $4)",
            .claim_sql = "SELECT * FROM parley.claim_changes($1, $2, $3)",
            .settle_sql = "SELECT parley.settle_changes($1, $2, $3)",
            .timestamp = change_timestamp,
            .relay = relay_changes,
        },
};

/* ---- sweeps ---- */

static bool run_command(pl_link_t *link, const char *sql)
{
    PGresult *result = pl_link_run(link, sql, NULL);
    bool is_done = result != NULL;
    PQclear(result);
    return is_done;
}

/* Claims the due entries, writes their follow-ups and settles them, in one transaction of the
 * source. False: that transaction failed; the entries stay. */
static bool relay_due(pl_relay_t *relay, database_t *database, const outbox_kind_t *kind,
                      const keys_t *due, size_t *settled_r)
{
    PGresult *claimed = NULL, *done = NULL;
    keys_t settled;
    bool ok = false;

    keys_init(&settled, due->count);
    if (!run_command(&database->source, "BEGIN"))
        goto out;
    claimed = run_with_keys(relay, &database->source, kind->claim_sql, due);
    if (claimed == NULL)
        goto out;
    kind->relay(relay, claimed, &settled);
    if (settled.count > 0) {
        done = run_with_keys(relay, &database->source, kind->settle_sql, &settled);
        if (done == NULL)
            goto out;
    }
    ok = run_command(&database->source, "COMMIT");
    *settled_r = settled.count;
out:
    PQclear(claimed);
    PQclear(done);
    keys_dispose(&settled);
    return ok;
}

/* Returns true if there may be another page. */
static bool sweep_page(pl_relay_t *relay, database_t *database, progress_t *progress,
                       const outbox_kind_t *kind)
{
    PGresult *rows = read_page(relay, database, progress, kind);
    size_t settled = 0;
    keys_t due;

    if (rows == NULL) {
        pl_link_close(&database->source);
        return false;
    }
    size_t length = (size_t)PQntuples(rows);
    keys_init(&due, length);
    collect_due(relay, progress, kind, rows, &due);
    /* If it fails, the next sweep tries again. Closing the link ends the transaction and its
     * locks. */
    if (due.count > 0 && !relay_due(relay, database, kind, &due, &settled))
        pl_link_close(&database->source);
    bool more = length == (size_t)relay->config->relay.batch_size && database->source.pg != NULL;
    assert(settled <= length);
    progress->left += length - settled;
    for (int i = 0; i < KEY_COLUMNS; i++)
        progress->after[i] = more ? pl_result_int64(rows, (int)length - 1, i) : 0;
    keys_dispose(&due);
    PQclear(rows);
    return more;
}

/* Continues the sweep of one outbox. If it reaches the end or the source fails, reports the number
 * of entries that are left, and begins a new sweep. */
static void sweep(pl_relay_t *relay, database_t *database, enum outbox outbox)
{
    progress_t *progress = &database->progress[outbox];

    if (!pl_link_is_up(&database->source))
        return;
    for (int page = 0; page < PAGES_PER_SWEEP && !is_stopping(relay); page++)
        if (!sweep_page(relay, database, progress, &outbox_kinds[outbox])) {
            pl_relay_metrics_pending((int64_t)progress->left - (int64_t)progress->pending);
            progress->pending = progress->left;
            progress->left = 0;
            pl_seen_end_sweep(&progress->seen);
            return;
        }
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    pl_relay_t *relay = arg;

    while (!is_stopping(relay)) {
        for (int i = 0; i < relay->map->database_count; i++)
            for (enum outbox outbox = 0; outbox < OUTBOXES; outbox++)
                sweep(relay, &relay->databases[i], outbox);
        pause_between_sweeps(relay);
    }
    pthread_mutex_lock(&relay->lock);
    relay->ended = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->lock);
    return NULL;
}

int pl_relay_start(const pl_config_t *config, const pl_shard_map_t *map,
                   pl_commit_listener_t *listener, pl_relay_t **relay_r, pl_error_t *error)
{
    pl_relay_t *relay = pl_calloc(1, sizeof(*relay));
    pthread_condattr_t monotonic;
    pthread_t thread;

    relay->config = config;
    relay->map = map;
    relay->listener = listener;
    relay->databases = pl_calloc((size_t)map->database_count, sizeof(database_t));
    for (int i = 0; i < map->database_count; i++) {
        const pl_config_database_t *database = pl_config_find_database(config,
                                                                       map->database_names[i]);
        relay->databases[i].source = (pl_link_t){
            .name = database->name,
            .dsn = database->direct_dsn,
            .allow_data_loss_on_crash = database->allow_data_loss_on_crash};
        relay->databases[i].target = relay->databases[i].source;
        for (int outbox = 0; outbox < OUTBOXES; outbox++)
            pl_seen_init(&relay->databases[i].progress[outbox].seen);
    }
    pthread_mutex_init(&relay->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&relay->wake, &monotonic);
    if (pthread_create(&thread, NULL, run, relay) != 0) {
        pl_error_set(error, PL_ERROR_INTERNAL, "the relay's thread cannot be started");
        return -1;
    }
    pthread_detach(thread);
    *relay_r = relay;
    return 0;
}

void pl_relay_stop(pl_relay_t *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->stopping = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->lock);
}

bool pl_relay_await(pl_relay_t *relay)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&relay->lock);
    assert(relay->stopping);
    while (!relay->ended && pthread_cond_timedwait(&relay->wake, &relay->lock, &until) == 0)
        continue;
    bool ended = relay->ended;
    pthread_mutex_unlock(&relay->lock);
    return ended;
}
