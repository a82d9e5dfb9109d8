#include "core/endings_reader.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/ending.h"
#include "loop/timer.h"

#define US_PER_S INT64_C(1000000)
#define PAGE_SIZE 10000
/* Longer than a transaction takes to commit what it has given a time, and than clocks differ. */
#define OVERLAP_S 60
#define RETRY_MS 1000
/* So many rows at once, so often, on each server. */
#define EXPIRE_MS 60000
#define EXPIRE_PAGE_SIZE 1000
/* The databases keep endings longer than a token can need them: a server that was cut off from a
 * database reads them later, for its open streams. */
#define KEPT_AT_LEAST_S 86400

typedef struct source {
    pl_endings_reader_t *reader;
    int database;
    pl_endings_read_t read;
    pl_sessions_expire_t expire;
    pl_timer_t read_timer;
    pl_timer_t expire_timer;
    int64_t since_us;     /* endings of single sessions */
    int64_t since_all_us; /* and of all of a user's */
    bool has_failed;      /* the last read; it is logged once */
} source_t;

struct pl_endings_reader {
    const pl_config_t *config;
    const pl_cluster_t *cluster;
    pl_endings_t *endings;
    pl_hub_t *hub;
    pl_loop_t *loop;
    source_t sources[]; /* one for each database */
};

/* How long a token may be valid that an ending of its session refuses; and one without a session.
 */
static int64_t session_keep_s(const pl_config_t *config)
{
    return config->auth.token_lifetime_s + config->auth.clock_leeway_s + OVERLAP_S;
}

static int64_t all_keep_s(const pl_config_t *config)
{
    int64_t longest_s = config->auth.longest_token_s;

    if (longest_s < config->auth.token_lifetime_s)
        longest_s = config->auth.token_lifetime_s;
    for (size_t i = 0; i < config->issuer_count; i++)
        if (longest_s < config->issuers[i].max_lifetime_s)
            longest_s = config->issuers[i].max_lifetime_s;
    return longest_s + config->auth.clock_leeway_s + OVERLAP_S;
}

pl_endings_t *pl_endings_create_configured(const pl_config_t *config)
{
    return pl_endings_create(session_keep_s(config), all_keep_s(config),
                             config->auth.clock_leeway_s);
}

pl_endings_reader_t *pl_endings_reader_create(const pl_config_t *config,
                                              const pl_cluster_t *cluster, pl_endings_t *endings,
                                              pl_hub_t *hub)
{
    int count = pl_cluster_databases(cluster);
    pl_endings_reader_t *reader = pl_calloc(1, sizeof(*reader) + (size_t)count * sizeof(source_t));
    int64_t now_us = pl_clock_now_us();

    reader->config = config;
    reader->cluster = cluster;
    reader->endings = endings;
    reader->hub = hub;
    for (int i = 0; i < count; i++)
        reader->sources[i] = (source_t){
            .reader = reader,
            .database = i,
            .since_us = now_us - session_keep_s(config) * US_PER_S,
            .since_all_us = now_us - all_keep_s(config) * US_PER_S,
        };
    return reader;
}

/* ---- reading ---- */

static void prepare(const source_t *source, pl_endings_read_t *read)
{
    *read = (pl_endings_read_t){
        .op = {.kind = &pl_endings_read_kind},
        .since_us = source->since_us,
        .since_all = source->since_all_us,
        .page_size = PAGE_SIZE,
    };
}

static void announce(const pl_endings_reader_t *reader, const pl_ending_row_t *row)
{
    pl_ending_announce(reader->endings, reader->hub,
                       &(pl_ending_t){
                           .user_id = row->user_id,
                           .session_id = row->session_id,
                           .ended_us = row->ended_us,
                           .kept_id = row->kept_id,
                           .tokens_us = row->tokens_us,
                           .is_erased = row->is_erased,
                       });
}

static void raise_since(source_t *source, int64_t since_us)
{
    if (since_us > source->since_us)
        source->since_us = since_us;
    if (since_us > source->since_all_us)
        source->since_all_us = since_us;
}

/* Several rows may have the time of a page's last one. */
static bool take(source_t *source, pl_endings_read_t *read)
{
    size_t count = pl_endings_read_length(read);
    bool has_more = count == (size_t)read->page_size;
    pl_ending_row_t row = {0};

    for (size_t i = 0; i < count; i++) {
        pl_endings_read_get(read, i, &row);
        announce(source->reader, &row);
    }
    if (has_more) {
        raise_since(source, row.ended_us - 1);
    } else {
        /* Maybe earlier than before: the clock of a database that has taken over may be behind. */
        source->since_us = pl_endings_read_clock_us(read) - OVERLAP_S * US_PER_S;
        source->since_all_us = source->since_us;
    }
    pl_endings_read_dispose(read);
    return has_more;
}

void pl_endings_reader_prepare(const pl_endings_reader_t *reader, int database,
                               pl_endings_read_t *read_r)
{
    prepare(&reader->sources[database], read_r);
}

bool pl_endings_reader_take(pl_endings_reader_t *reader, int database, pl_endings_read_t *read)
{
    return take(&reader->sources[database], read);
}

static void arm(source_t *source, pl_timer_t *timer, uint64_t pause_ms)
{
    pl_timer_arm(pl_timer_queue(source->reader->loop, pause_ms), timer);
}

static void read_endings(source_t *source);

static void note_failure(source_t *source, const pl_op_t *op)
{
    if (!source->has_failed)
        pl_log_warn(
            "endings-read-failed",
            PL_S("database", pl_cluster_database_name(source->reader->cluster, source->database)),
            PL_S("error",
                 op->error == PL_ERROR_SQL ? op->sqlstate : pl_error_code_name(op->error)));
    source->has_failed = true;
    arm(source, &source->read_timer, RETRY_MS);
}

static void on_read(pl_op_t *op)
{
    source_t *source = H2O_STRUCT_FROM_MEMBER(source_t, read.op, op);

    if (op->error != PL_OK) {
        note_failure(source, op);
        return;
    }
    source->has_failed = false;
    if (take(source, &source->read))
        read_endings(source);
    else
        arm(source, &source->read_timer, (uint64_t)source->reader->config->push.heartbeat_s * 1000);
}

static int shard_of(const source_t *source)
{
    return pl_cluster_shard_in(source->reader->cluster, source->database);
}

static uint64_t deadline_ms(const source_t *source)
{
    return (uint64_t)(pl_clock_monotonic_ms() +
                      source->reader->config->lanes.request_deadline_s * 1000);
}

static void read_endings(source_t *source)
{
    pl_op_t *op = &source->read.op;
    int shard = shard_of(source);

    prepare(source, &source->read);
    op->shard = shard;
    op->user_id = PL_OP_USER_SERVER;
    op->deadline_ms = deadline_ms(source);
    op->on_done = on_read;
    if (pl_lane_submit(pl_cluster_read_lane(source->reader->cluster, shard), op) != 0)
        pl_op_end_overloaded(op);
}

static void on_read_timer(pl_timer_t *timer)
{
    read_endings(H2O_STRUCT_FROM_MEMBER(source_t, read_timer, timer));
}

/* ---- expiry ---- */

/* If it fails, the next one deletes the more. */
static void on_expired(pl_op_t *op)
{
    source_t *source = H2O_STRUCT_FROM_MEMBER(source_t, expire.op, op);

    if (op->error == PL_OK)
        pl_session_count(PL_SESSION_EXPIRED, (size_t)source->expire.expired_count);
    arm(source, &source->expire_timer, EXPIRE_MS);
}

static int64_t at_least(int64_t seconds, int64_t least_s)
{
    return (seconds > least_s ? seconds : least_s) * US_PER_S;
}

static void on_expire_timer(pl_timer_t *timer)
{
    source_t *source = H2O_STRUCT_FROM_MEMBER(source_t, expire_timer, timer);
    const pl_endings_reader_t *reader = source->reader;
    pl_op_t *op = &source->expire.op;
    int shard = shard_of(source);

    pl_endings_forget(reader->endings, pl_clock_now_us());
    source->expire = (pl_sessions_expire_t){
        .op = {.kind = &pl_sessions_expire_kind, .shard = shard, .on_done = on_expired},
        .keep_us = at_least(session_keep_s(reader->config), KEPT_AT_LEAST_S),
        .keep_all_us = at_least(all_keep_s(reader->config), KEPT_AT_LEAST_S),
        .page_size = EXPIRE_PAGE_SIZE,
    };
    op->deadline_ms = deadline_ms(source);
    if (pl_lane_submit(pl_cluster_change_lane(reader->cluster, (int64_t)shard << PL_ID_SHARD_SHIFT),
                       op) != 0)
        pl_op_end_overloaded(op);
}

void pl_endings_reader_start(pl_endings_reader_t *reader, pl_loop_t *loop)
{
    reader->loop = loop;
    for (int i = 0; i < pl_cluster_databases(reader->cluster); i++) {
        source_t *source = &reader->sources[i];
        if (shard_of(source) < 0)
            continue;
        source->read_timer.on_fire = on_read_timer;
        source->expire_timer.on_fire = on_expire_timer;
        arm(source, &source->expire_timer, EXPIRE_MS);
        read_endings(source);
    }
}
