#include "relay/relay.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "relay/link.h"
#include "relay/metrics.h"
#include "relay/seen.h"

/* A copy that is this old is no longer on its way in a lane: above the deadline of a first
 * attempt's copy. */
#define GRACE_US (2 * 1000000)
/* A sweep of one database ends after so many pages and goes on from there the next time: a backlog
 * for a database that is away does not keep the relay from the others. */
#define PAGES_PER_SWEEP 40

enum column {
    COLUMN_RECIPIENT_ID,
    COLUMN_SENDER_ID,
    COLUMN_MESSAGE_ID,
    COLUMN_CLIENT_MESSAGE_ID,
    COLUMN_CONTENT,
};

/* One database as a source of outbox rows and as a target of copies. */
typedef struct place {
    pl_link_t source; /* its transaction holds the rows' locks */
    pl_link_t target;
    int64_t after[3]; /* the key where the sweep goes on */
    size_t swept;     /* rows that this sweep has left behind */
    size_t pending;   /* rows that the last whole sweep left behind */
    pl_seen_t seen;
} place_t;

struct pl_relay {
    const pl_config_t *config;
    const pl_shard_map_t *map;
    pl_commit_listener_t *listener;
    place_t *places; /* in the map's order of databases */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
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

/* ---- one page of outbox rows ---- */

static PGresult *claim_page(pl_relay_t *relay, place_t *place)
{
    PGresult *begun = pl_link_run(&place->source, "BEGIN", NULL);
    if (begun == NULL)
        return NULL;
    PQclear(begun);
    pl_params_reset(&relay->params);
    for (int i = 0; i < 3; i++)
        pl_params_int64(&relay->params, place->after[i]);
    pl_params_int32(&relay->params, (int32_t)relay->config->relay.batch_size);
    return pl_link_run(&place->source,
                       "SELECT recipient_id, sender_id, message_id, client_message_id, content "
                       "FROM parley.pending_outbox($1, $2, $3, $4)",
                       &relay->params);
}

static void read_row(const PGresult *rows, int row, pl_message_write_t *copy)
{
    *copy = (pl_message_write_t){
        .mailbox_id = pl_result_int64(rows, row, COLUMN_SENDER_ID),
        .peer_id = pl_result_int64(rows, row, COLUMN_RECIPIENT_ID),
        .sender_id = pl_result_int64(rows, row, COLUMN_SENDER_ID),
        .message_id = pl_result_int64(rows, row, COLUMN_MESSAGE_ID),
        .client_message_id = PQgetvalue(rows, row, COLUMN_CLIENT_MESSAGE_ID),
        .client_message_id_len = (size_t)PQgetlength(rows, row, COLUMN_CLIENT_MESSAGE_ID),
        .content = PQgetvalue(rows, row, COLUMN_CONTENT),
        .content_len = (size_t)PQgetlength(rows, row, COLUMN_CONTENT),
    };
}

/* Takes the page's rows whose turn has come. */
static size_t take_due(place_t *place, const PGresult *rows, pl_message_write_t *copies)
{
    int64_t old_us = pl_clock_now_us() - GRACE_US;
    size_t count = 0;

    for (int row = 0; row < PQntuples(rows); row++) {
        pl_message_write_t copy;
        read_row(rows, row, &copy);
        bool was_seen = pl_seen_add(&place->seen, copy.peer_id, copy.sender_id, copy.message_id);
        if (was_seen || pl_message_id_timestamp(copy.message_id) < old_us)
            copies[count++] = copy;
    }
    return count;
}

static bool write_copies(pl_relay_t *relay, pl_link_t *target, pl_op_t *const *ops, size_t count)
{
    pl_params_reset(&relay->params);
    pl_message_write_kind.encode(&relay->params, ops, count);
    PGresult *result = pl_link_run(target, pl_message_write_kind.sql, &relay->params);
    if (result == NULL)
        return false;
    if (!pl_message_write_kind.decode(result, ops, count))
        PQclear(result);
    pl_message_write_kind.on_committed(relay->listener, ops, count);
    return true;
}

/* Writes what it can; moves what is written to the front of `ops` and returns how many. A batch
 * that is refused is tried one by one, so that one bad row does not hold up the others. */
static size_t write_all(pl_relay_t *relay, pl_link_t *target, pl_op_t **ops, size_t count)
{
    size_t written = 0;

    if (!pl_link_is_up(target))
        return 0;
    if (write_copies(relay, target, ops, count))
        return count;
    for (size_t i = 0; i < count && count > 1 && target->pg != NULL; i++)
        if (write_copies(relay, target, &ops[i], 1))
            ops[written++] = ops[i];
    return written;
}

/* Stores the copies, database by database. Returns how many of them are stored; those stand first
 * in `stored`. */
static size_t relay_copies(pl_relay_t *relay, pl_message_write_t *copies, size_t count,
                           pl_op_t **stored)
{
    size_t total = 0;

    for (int database = 0; database < relay->map->database_count; database++) {
        size_t wanted = 0;
        for (size_t i = 0; i < count; i++) {
            unsigned shard = pl_id_shard(copies[i].mailbox_id);
            if (shard < (unsigned)relay->map->shards &&
                relay->map->database_of_shard[shard] == database)
                stored[total + wanted++] = &copies[i].op;
        }
        if (wanted > 0)
            total += write_all(relay, &relay->places[database].target, stored + total, wanted);
    }
    return total;
}

static bool settle(pl_relay_t *relay, place_t *place, pl_op_t *const *stored, size_t count)
{
    pl_params_reset(&relay->params);
    for (int column = 0; column < 3; column++) {
        pl_params_int64_array(&relay->params, count);
        for (size_t i = 0; i < count; i++) {
            const pl_message_write_t *copy = pl_message_write_of(stored[i]);
            const int64_t key[] = {copy->peer_id, copy->sender_id, copy->message_id};
            pl_params_element_int64(&relay->params, key[column]);
        }
        pl_params_array_end(&relay->params);
    }
    PGresult *result = pl_link_run(&place->source, "SELECT parley.settle_outbox($1, $2, $3)",
                                   &relay->params);
    bool is_settled = result != NULL;
    PQclear(result);
    return is_settled;
}

/* True when there may be another page. */
static bool sweep_page(pl_relay_t *relay, place_t *place)
{
    bool more = false;
    PGresult *rows = claim_page(relay, place);
    pl_message_write_t *copies = NULL;
    pl_op_t **stored = NULL;

    if (rows == NULL)
        goto failed;
    size_t length = (size_t)PQntuples(rows);
    copies = pl_calloc(length, sizeof(*copies));
    stored = pl_calloc(length, sizeof(pl_op_t *));
    size_t due = take_due(place, rows, copies);
    size_t settled = due > 0 ? relay_copies(relay, copies, due, stored) : 0;
    if (settled > 0 && !settle(relay, place, stored, settled))
        goto failed;
    PGresult *committed = pl_link_run(&place->source, "COMMIT", NULL);
    if (committed == NULL)
        goto failed;
    PQclear(committed);
    pl_relay_metrics_page(settled, due - settled);
    place->swept += length - settled;
    more = length == (size_t)relay->config->relay.batch_size;
    for (int i = 0; i < 3; i++)
        place->after[i] = more ? pl_result_int64(rows, (int)length - 1, i) : 0;
    goto out;

failed: /* the transaction and its locks go with the connection */
    pl_link_close(&place->source);
    place->swept = place->pending;
out:
    PQclear(rows);
    free(copies);
    free(stored);
    return more;
}

static void sweep(pl_relay_t *relay, place_t *place)
{
    if (!pl_link_is_up(&place->source))
        return;
    for (int page = 0; page < PAGES_PER_SWEEP && !is_stopping(relay); page++)
        if (!sweep_page(relay, place)) {
            pl_relay_metrics_pending((int64_t)place->swept - (int64_t)place->pending);
            place->pending = place->swept;
            place->swept = 0;
            pl_seen_turn(&place->seen);
            return;
        }
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    pl_relay_t *relay = arg;

    while (!is_stopping(relay)) {
        for (int i = 0; i < relay->map->database_count; i++)
            sweep(relay, &relay->places[i]);
        pause_between_sweeps(relay);
    }
    return NULL;
}

int pl_relay_start(const pl_config_t *config, const pl_shard_map_t *map,
                   pl_commit_listener_t *listener, pl_relay_t **relay_r, pl_error_t *error)
{
    pl_relay_t *relay = pl_calloc(1, sizeof(*relay));
    pthread_condattr_t monotonic;

    relay->config = config;
    relay->map = map;
    relay->listener = listener;
    relay->places = pl_calloc((size_t)map->database_count, sizeof(place_t));
    for (int i = 0; i < map->database_count; i++) {
        const pl_config_database_t *database = pl_config_find_database(config,
                                                                       map->database_names[i]);
        relay->places[i].source = (pl_link_t){.name = database->name, .dsn = database->direct_dsn};
        relay->places[i].target = relay->places[i].source;
        pl_seen_init(&relay->places[i].seen);
    }
    pthread_mutex_init(&relay->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&relay->wake, &monotonic);
    if (pthread_create(&relay->thread, NULL, run, relay) != 0) {
        pl_error_set(error, PL_ERROR_INTERNAL, "the relay's thread cannot be started");
        return -1;
    }
    *relay_r = relay;
    return 0;
}

void pl_relay_stop(pl_relay_t **relay_p)
{
    pl_relay_t *relay = *relay_p;

    *relay_p = NULL;
    if (relay == NULL)
        return;
    pthread_mutex_lock(&relay->lock);
    relay->stopping = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->lock);
    pthread_join(relay->thread, NULL);
    for (int i = 0; i < relay->map->database_count; i++) {
        pl_link_close(&relay->places[i].source);
        pl_link_close(&relay->places[i].target);
        pl_seen_dispose(&relay->places[i].seen);
    }
    pl_params_dispose(&relay->params);
    pthread_cond_destroy(&relay->wake);
    pthread_mutex_destroy(&relay->lock);
    free(relay->places);
    free(relay);
}
