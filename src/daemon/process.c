#include "daemon/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/admin.h"
#include "api/api.h"
#include "api/cookies.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "core/create.h"
#include "core/ending.h"
#include "core/password_work.h"
#include "daemon/endings.h"
#include "daemon/worker.h"
#include "db/cluster.h"
#include "db/metrics.h"
#include "http/static.h"
#include "loop/timer.h"
#include "push/metrics.h"
#include "relay/metrics.h"
#include "relay/relay.h"

#define DRAIN_CHECK_MS 100

typedef struct process {
    const pl_config_t *config;
    pl_worker_deps_t deps;
    pl_loop_t **loops; /* of the workers */
    pl_worker_t **workers;
    size_t workers_count;
    pl_loop_t *main_loop;
    pl_admin_t *admin;
    pl_relay_t *relay;
    h2o_socket_t *signals;
    pl_timer_t drain_timer;
    int64_t drain_deadline_ms;
    bool draining;
} process_t;

/* There is one in a process, and it outlives every thread. */
static process_t process;

/* ---- readiness and gauges ---- */

static bool has_database(void *owner, char *detail, size_t detail_size)
{
    snprintf(detail, detail_size, "no connection to any database");
    return pl_cluster_is_ready(owner);
}

typedef struct lanes_sum {
    const char *kind;
    size_t length;
    size_t connected;
} lanes_sum_t;

static void add_lane(void *arg, const char *database, const char *kind, const pl_lane_t *lane)
{
    lanes_sum_t *sum = arg;
    (void)database;
    if (strcmp(kind, sum->kind) != 0)
        return;
    sum->length += pl_lane_length(lane);
    sum->connected += pl_lane_is_connected(lane);
}

static lanes_sum_t sum_lanes(const char *kind)
{
    lanes_sum_t sum = {.kind = kind};
    pl_cluster_visit_lanes(process.deps.cluster, add_lane, &sum);
    return sum;
}

static double lane_operations(void *kind)
{
    return (double)sum_lanes(kind).length;
}

static double lane_connections(void *kind)
{
    return (double)sum_lanes(kind).connected;
}

static double passwords_waiting(void *pool)
{
    return (double)pl_password_pool_waiting(pool);
}

static void register_gauges(void)
{
    static char kinds[][8] = {"write", "change", "check", "read"};
    char labels[64];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(labels, sizeof(labels), "kind=\"%s\"", kinds[i]);
        pl_gauge_register_read("parley_lane_operations", "Operations queued or in flight.", labels,
                               lane_operations, kinds[i]);
        pl_gauge_register_read("parley_lane_connections", "Lanes with a working connection.",
                               labels, lane_connections, kinds[i]);
    }
    pl_gauge_register_read("parley_password_jobs_waiting", "Passwords waiting to be hashed.", NULL,
                           passwords_waiting, process.deps.passwords);
}

/* ---- start ---- */

static size_t count_workers(const pl_config_t *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (config->server.workers > 0)
        return (size_t)config->server.workers;
    return cores > 0 ? (size_t)cores : 1;
}

static int create_server(pl_error_t *error)
{
    const pl_config_t *config = process.config;
    const pl_server_options_t options = {
        .name = "api",
        .address = config->server.listen_address,
        .port = (uint16_t)config->server.http_port,
        .workers = (unsigned)process.workers_count,
        .max_connections = (unsigned)config->server.max_connections,
        .max_requests_in_flight_per_connection =
            (unsigned)config->server.max_requests_in_flight_per_connection,
        .max_requests_in_flight_per_user = (unsigned)config->server.max_requests_in_flight_per_user,
        .max_unsent_per_user = (size_t)config->server.max_unsent_per_user,
        .max_unsent_per_connection = (size_t)config->server.max_unsent_per_connection,
        .max_unsent = (size_t)config->server.max_unsent,
        .shares =
            {
                [PL_SHARE_WAITERS] = {.per_user = (size_t)config->push.max_waiters_per_user,
                                      .per_address = (size_t)config->push.max_waiters_per_address},
                [PL_SHARE_WATCHED] = {.per_user = (size_t)config->push.max_watched_per_user,
                                      .per_address = (size_t)config->push.max_watched_per_address},
                [PL_SHARE_EXPORTS] =
                    {.per_user = 1, .per_address = (size_t)config->server.max_exports_per_address},
            },
        .trusts_forwarded = config->server.trust_forwarded_for,
        .max_request_body = (size_t)config->server.max_request_body,
        .stream_queue = (size_t)config->push.stream_queue,
        .stream_stall_s = (unsigned)config->push.stream_stall_s,
        .drain_timeout_s = (unsigned)config->server.drain_timeout_s,
        .cookie_name = PL_ACCESS_COOKIE,
        .trusted_proxies = config->server.trusted_proxies,
        .endings = process.deps.endings,
    };
    pl_router_t *router = pl_router_create();

    pl_api_add_routes(router);
    pl_static_add_routes(router);
    return pl_server_create(&options, router, &process.deps.server, error);
}

static void create_presence(void)
{
    const pl_config_t *config = process.config;
    pl_hub_t *watchers = pl_hub_create(process.loops, process.workers_count,
                                       (size_t)config->push.max_watched, SIZE_MAX);

    process.deps.presence = pl_presence_create((size_t)config->push.presence_users,
                                               config->push.presence_timeout_s * 1000, watchers);
    pl_presence_start(process.deps.presence, process.main_loop);
}

static int create_shared(pl_shard_map_t *map, pl_error_t *error)
{
    const pl_config_t *config = process.config;

    process.loops = pl_calloc(process.workers_count, sizeof(pl_loop_t *));
    process.workers = pl_calloc(process.workers_count, sizeof(pl_worker_t *));
    for (size_t i = 0; i < process.workers_count; i++) {
        if (pl_worker_create((int)i, &process.workers[i], error) != 0)
            return -1;
        process.loops[i] = pl_worker_loop(process.workers[i]);
    }
    process.main_loop = pl_loop_create((int)process.workers_count);
    process.deps.hub = pl_hub_create(process.loops, process.workers_count,
                                     (size_t)config->push.max_waiters,
                                     (size_t)config->push.max_waiters_per_user);
    process.deps.typing_limit = pl_typing_limit_create(PL_TYPING_LIMIT_CAPACITY,
                                                       PL_TYPING_INTERVAL_MS);
    process.deps.erased_users = pl_erased_users_create();
    process.deps.endings = pl_endings_create_configured(config);
    process.deps.receipt_writer = pl_receipt_writer_create(process.loops, process.workers_count);
    create_presence();
    if (pl_password_pool_create((size_t)config->auth.password_threads,
                                (size_t)config->auth.password_queue, pl_password_work_post,
                                &process.deps.passwords, error) != 0 ||
        pl_cluster_create(config, map, process.loops, process.workers_count,
                          pl_hub_listener(process.deps.hub), &process.deps.cluster, error) != 0)
        return -1;
    pl_db_metrics_init();
    pl_core_metrics_init();
    pl_session_metrics_init(process.deps.endings);
    process.deps.endings_reader = pl_endings_reader_create(config, process.deps.cluster,
                                                           process.deps.endings, process.deps.hub);
    pl_push_metrics_init(process.deps.hub, process.deps.presence);
    pl_relay_metrics_init();
    register_gauges();
    return 0;
}

static int create_admin(pl_error_t *error)
{
    const pl_config_t *config = process.config;

    if (pl_admin_create(process.main_loop, config->server.admin_address,
                        (uint16_t)config->server.admin_port, &process.admin, error) != 0)
        return -1;
    pl_admin_add_check(process.admin, "databases", has_database, process.deps.cluster);
    return 0;
}

/* ---- drain ---- */

static void on_drain_check(pl_timer_t *timer)
{
    pl_server_stats_t stats;

    pl_server_read_stats(process.deps.server, &stats);
    bool is_over = pl_clock_monotonic_ms() >= process.drain_deadline_ms;
    if ((stats.requests_in_flight > 0 || stats.streams > 0) && !is_over) {
        pl_timer_arm(pl_timer_queue(process.main_loop, DRAIN_CHECK_MS), timer);
        return;
    }
    pl_log_info("drained", PL_B("complete", !is_over),
                PL_I("requests", (int64_t)stats.requests_in_flight),
                PL_I("streams", (int64_t)stats.streams));
    pl_loop_stop(process.main_loop);
}

static void on_signal(h2o_socket_t *socket, const char *err)
{
    struct signalfd_siginfo info;

    (void)err;
    if (read(h2o_socket_get_fd(socket), &info, sizeof(info)) != sizeof(info))
        return;
    pl_log_info("signal", PL_I("number", info.ssi_signo));
    if (process.draining) {
        pl_loop_stop(process.main_loop);
        return;
    }
    process.draining = true;
    process.drain_deadline_ms = pl_clock_monotonic_ms() +
                                process.config->server.drain_timeout_s * 1000;
    pl_admin_set_draining(process.admin);
    pl_relay_stop(process.relay);
    for (size_t i = 0; i < process.workers_count; i++)
        pl_worker_drain(process.workers[i]);
    process.drain_timer.on_fire = on_drain_check;
    pl_timer_arm(pl_timer_queue(process.main_loop, DRAIN_CHECK_MS), &process.drain_timer);
}

static int watch_signals(const sigset_t *stop, pl_error_t *error)
{
    int fd = signalfd(-1, stop, SFD_NONBLOCK | SFD_CLOEXEC);

    if (fd < 0) {
        pl_error_set(error, PL_ERROR_INTERNAL, "signals cannot be watched");
        return -1;
    }
    process.signals = h2o_evloop_socket_create(pl_loop_h2o(process.main_loop), fd,
                                               H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(process.signals, on_signal);
    return 0;
}

int pl_process_run(const pl_config_t *config, pl_shard_map_t *map, const sigset_t *stop,
                   pl_error_t *error)
{
    process.config = config;
    process.deps.config = config;
    process.workers_count = count_workers(config);
    if (create_shared(map, error) != 0 || create_server(error) != 0 || create_admin(error) != 0 ||
        watch_signals(stop, error) != 0)
        return -1;
    pl_endings_read_before_start(config, process.deps.cluster, process.deps.endings_reader);
    for (size_t i = 0; i < process.workers_count; i++)
        if (pl_worker_start(process.workers[i], &process.deps, error) != 0)
            return -1;
    if (pl_relay_start(config, map, pl_hub_listener(process.deps.hub), &process.relay, error) != 0)
        return -1;

    pl_log_info("serving", PL_S("address", config->server.listen_address),
                PL_I("port", pl_server_port(process.deps.server)),
                PL_I("admin_port", pl_admin_port(process.admin)),
                PL_I("workers", (int64_t)process.workers_count), PL_I("shards", map->shards),
                PL_I("databases", map->database_count));
    pl_loop_run(process.main_loop);

    for (size_t i = 0; i < process.workers_count; i++)
        pl_worker_stop(process.workers[i]);
    for (size_t i = 0; i < process.workers_count; i++)
        pl_worker_await(process.workers[i]);
    pl_log_info("stopped");
    if (!pl_relay_await(process.relay))
        _exit(EXIT_SUCCESS);
    return 0;
}
