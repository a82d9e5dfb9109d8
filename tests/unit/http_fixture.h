/*
 * A server on a free port, in a thread of its own, with routes for every kind of answer, and a
 * client that can write any bytes. For the http_*_test programs.
 */
#ifndef PL_TESTS_HTTP_FIXTURE_H
#define PL_TESTS_HTTP_FIXTURE_H

#include "testing.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/problem.h"
#include "http/router.h"
#include "http/server.h"
#include "http/stream.h"
#include "loop/timer.h"

#define STALL_S 1
#define STREAM_QUEUE 65536
#define MAX_BODY 4096
#define BIG_BYTES (8 * 1024 * 1024)
#define LATER_MS 60
#define MAX_HELD 256
#define MAX_WORKERS 2

static struct fixture {
    pl_loop_t *loop; /* of the first worker */
    pl_router_t *router;
    pl_server_t *server;
    pl_auth_t *auth;
    pl_server_worker_t *workers[MAX_WORKERS];
    unsigned workers_count;
    uint16_t port;
    char *big;
    atomic_int handled;
    atomic_int gone;
    atomic_int later_done;
    atomic_int streams_closed;
    atomic_int last_reason;
    atomic_int held_count;
    pl_request_t *held[MAX_HELD];
} fixture;

/* Guards fixture.held: the workers' threads share it. */
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- handlers ---- */

static inline void reply_text(pl_request_t *request, const char *text)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_append_text(&body, text);
    pl_request_reply(request, &(pl_reply_t){.status = 200}, &body);
}

static inline void on_quick(pl_request_t *request, void *worker)
{
    assert_ptr_equal(worker, &fixture);
    atomic_fetch_add(&fixture.handled, 1);
    reply_text(request, "{\"quick\":true}");
}

static inline void on_echo(pl_request_t *request, void *worker)
{
    (void)worker;
    pl_slice_t first = pl_request_path_parameter(request, 0);
    pl_slice_t second = pl_request_path_parameter(request, 1);
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_appendf(&body, "[%.*s|%.*s]", (int)first.len, first.data, (int)second.len,
                      second.data);
    pl_request_reply(request, &(pl_reply_t){.status = 200}, &body);
}

static inline void on_query(pl_request_t *request, void *worker)
{
    (void)worker;
    pl_query_parameter_t parameters[] = {
        {.name = "number"}, {.name = "text"}, {.name = "list", .is_list = true}};
    int64_t number;
    if (pl_request_query(request, parameters, 3) != 0 ||
        pl_request_query_integer(request, &parameters[0], 1, 100, 20, &number) != 0)
        return;
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_appendf(&body, "number %lld text [%.*s]", (long long)number,
                      (int)parameters[1].value.len, parameters[1].value.data);
    if (parameters[2].value.data != NULL)
        pl_buffer_appendf(&body, " list [%.*s]", (int)parameters[2].value.len,
                          parameters[2].value.data);
    pl_request_reply(request, &(pl_reply_t){.status = 200}, &body);
}

static inline void on_sized(pl_request_t *request, void *worker)
{
    (void)worker;
    size_t len = (size_t)atoi(pl_request_path_parameter(request, 0).data);
    bool has_token = strcmp(pl_request_operation(request), "token") == 0;
    pl_request_reply_shared(request, &(pl_reply_t){.status = 200, .has_token = has_token},
                            fixture.big, len, NULL, NULL);
}

static inline void on_body(pl_request_t *request, void *worker)
{
    (void)worker;
    char text[64];
    snprintf(text, sizeof(text), "%zu bytes", pl_request_body(request).len);
    reply_text(request, text);
}

static inline void on_etag(pl_request_t *request, void *worker)
{
    (void)worker;
    if (pl_request_has_etag(request, "\"7\"")) {
        pl_request_reply_not_modified(request, "\"7\"", PL_CACHE_REVALIDATE);
        return;
    }
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_append_text(&body, "{}");
    pl_reply_t reply = {.status = 200, .cache = PL_CACHE_REVALIDATE, .etag = "\"7\""};
    pl_request_reply(request, &reply, &body);
}

static inline void on_empty(pl_request_t *request, void *worker)
{
    (void)worker;
    pl_request_reply_no_content(request);
}

static inline void on_forgotten(pl_request_t *request, void *worker)
{
    (void)request;
    (void)worker;
}

static inline void on_big(pl_request_t *request, void *worker)
{
    (void)worker;
    pl_request_reply_shared(request, &(pl_reply_t){.status = 200}, fixture.big, BIG_BYTES, NULL,
                            NULL);
}

static inline void on_held_gone(pl_request_t *request, void *owner)
{
    pl_request_t **slot = owner;
    assert_ptr_equal(*slot, request);
    assert_false(pl_request_is_live(request));
    pthread_mutex_lock(&held_lock);
    pl_request_unref(slot);
    pthread_mutex_unlock(&held_lock);
    atomic_fetch_add(&fixture.gone, 1);
    atomic_fetch_sub(&fixture.held_count, 1);
}

/* Never answered: only the client can end it. */
static inline void on_held(pl_request_t *request, void *worker)
{
    (void)worker;
    size_t i = 0;
    pthread_mutex_lock(&held_lock);
    while (i < MAX_HELD && fixture.held[i] != NULL)
        i++;
    if (i < MAX_HELD)
        fixture.held[i] = pl_request_ref(request);
    pthread_mutex_unlock(&held_lock);
    if (i == MAX_HELD) {
        pl_problem_reply(request, PL_PROBLEM_TOO_MANY_REQUESTS, "All places are taken");
        return;
    }
    pl_request_on_gone(request, on_held_gone, &fixture.held[i]);
    pl_request_hold(request);
    atomic_fetch_add(&fixture.handled, 1);
    atomic_fetch_add(&fixture.held_count, 1);
}

struct later {
    pl_timer_t timer;
    pl_request_t *request;
};

static inline void on_later_due(pl_timer_t *timer)
{
    struct later *later = (struct later *)timer;
    reply_text(later->request, "{\"later\":true}");
    pl_request_unref(&later->request);
    free(later);
    atomic_fetch_add(&fixture.later_done, 1);
}

/* Work that cannot be cancelled: it is answered after LATER_MS, even if the client has left. */
static inline void on_later(pl_request_t *request, void *worker)
{
    (void)worker;
    struct later *later = pl_calloc(1, sizeof(*later));
    later->request = pl_request_ref(request);
    later->timer.on_fire = on_later_due;
    atomic_fetch_add(&fixture.handled, 1);
    pl_timer_arm(pl_timer_queue(fixture.loop, LATER_MS), &later->timer);
}

/* A stream that writes `size` bytes at each tick, `count` times; then it ends or stays open. */
struct source {
    pl_timer_t timer;
    pl_stream_t *stream;
    int left;
    size_t size;
    bool stays_open;
};

static inline void on_stream_closed(pl_stream_t *stream, pl_stream_reason_t reason, void *owner)
{
    struct source *source = owner;
    assert_ptr_equal(stream, source->stream);
    pl_timer_disarm(&source->timer);
    free(source);
    atomic_store(&fixture.last_reason, (int)reason);
    atomic_fetch_add(&fixture.streams_closed, 1);
}

static inline void on_source_tick(pl_timer_t *timer)
{
    struct source *source = (struct source *)timer;
    if (source->left == 0) {
        if (!source->stays_open)
            pl_stream_end(source->stream, "retry: 7\n\n", 10);
        return;
    }
    source->left--;
    pl_timer_arm(pl_timer_queue(fixture.loop, PL_TIMER_TICK_MS), timer);
    pl_buffer_t event = PL_BUFFER_EMPTY;
    pl_buffer_append_text(&event, "data: ");
    while (event.len < source->size)
        pl_buffer_append_char(&event, 'x');
    pl_buffer_append_text(&event, "\n\n");
    /* After -1 the source is freed. */
    int outcome = pl_stream_write(source->stream, event.data, event.len);
    (void)outcome;
    pl_buffer_dispose(&event);
}

static inline void on_stream(pl_request_t *request, void *worker)
{
    (void)worker;
    pl_query_parameter_t parameters[] = {{.name = "count"}, {.name = "size"}, {.name = "open"}};
    int64_t count, size, stays_open;
    if (pl_request_query(request, parameters, 3) != 0 ||
        pl_request_query_integer(request, &parameters[0], 0, 100000, 0, &count) != 0 ||
        pl_request_query_integer(request, &parameters[1], 0, 10000000, 10, &size) != 0 ||
        pl_request_query_integer(request, &parameters[2], 0, 1, 0, &stays_open) != 0)
        return;
    struct source *source = pl_calloc(1, sizeof(*source));
    source->left = (int)count;
    source->size = (size_t)size;
    source->stays_open = stays_open == 1;
    source->timer.on_fire = on_source_tick;
    source->stream = pl_stream_start(request, "text/event-stream", ":ok\n\n", 5, on_stream_closed,
                                     source);
    assert_non_null(source->stream);
    pl_timer_arm(pl_timer_queue(fixture.loop, PL_TIMER_TICK_MS), &source->timer);
}

static const pl_route_t fixture_routes[] = {
    {"quick", "GET", "/quick", on_quick, PL_ROUTE_PUBLIC},
    {"echo", "GET", "/echo/{first}/x/{second}", on_echo, PL_ROUTE_PUBLIC},
    {"query", "GET", "/query", on_query, PL_ROUTE_PUBLIC},
    {"body", "POST", "/body", on_body, PL_ROUTE_PUBLIC | PL_ROUTE_BODY},
    {"etag", "GET", "/etag", on_etag, PL_ROUTE_PUBLIC},
    {"sized", "GET", "/sized/{bytes}", on_sized, PL_ROUTE_PUBLIC},
    {"token", "GET", "/token/{bytes}", on_sized, PL_ROUTE_PUBLIC},
    {"empty", "DELETE", "/quick", on_empty, PL_ROUTE_PUBLIC},
    {"forgotten", "GET", "/forgotten", on_forgotten, PL_ROUTE_PUBLIC},
    {"big", "GET", "/big", on_big, PL_ROUTE_PUBLIC},
    {"held", "GET", "/held", on_held, PL_ROUTE_PUBLIC | PL_ROUTE_NO_HEAD},
    {"later", "GET", "/later", on_later, PL_ROUTE_PUBLIC | PL_ROUTE_NO_HEAD},
    {"stream", "GET", "/stream", on_stream, PL_ROUTE_PUBLIC | PL_ROUTE_NO_HEAD},
};

/* ---- the server's thread; a program has one, because libh2o keeps memory per thread ---- */

struct fixture_settings {
    unsigned workers; /* default 1 */
    unsigned max_connections;
    unsigned max_in_flight;
    const char *cookie_name;
    const char *trusted_proxies;
    struct pl_endings *endings;
    const pl_route_t *routes; /* in place of fixture_routes */
    size_t routes_count;
    pl_auth_t *auth;
};

static pl_loop_t *fixture_loops[MAX_WORKERS];
static sem_t fixture_done;

static inline void *run_fixture_loop(void *argument)
{
    pl_loop_t **loop = argument;
    *loop = pl_loop_create((int)(loop - fixture_loops));
    sem_post(&fixture_done);
    pl_loop_run(*loop);
    return NULL;
}

struct fixture_task {
    pl_task_t task;
    void (*run)(void *argument);
    void *argument;
};

static inline void on_fixture_task(pl_task_t *task)
{
    struct fixture_task *self = (struct fixture_task *)task;
    self->run(self->argument);
    free(self);
}

/* Runs it later, on the worker's thread. */
static inline void fixture_post(unsigned worker, void (*run)(void *argument), void *argument)
{
    struct fixture_task *task = pl_calloc(1, sizeof(*task));
    task->task.run = on_fixture_task;
    task->run = run;
    task->argument = argument;
    pl_loop_post(fixture_loops[worker], &task->task);
}

static inline void start_worker(void *argument)
{
    unsigned index = (unsigned)(uintptr_t)argument;
    fixture.workers[index] = pl_server_worker_create(fixture.server, fixture_loops[index], index,
                                                     &fixture, fixture.auth);
    pl_server_worker_start(fixture.workers[index]);
    sem_post(&fixture_done);
}

static inline void start_threads(void)
{
    static bool is_done;
    if (is_done)
        return;
    is_done = true;
    sem_init(&fixture_done, 0, 0);
    for (size_t i = 0; i < MAX_WORKERS; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_fixture_loop, &fixture_loops[i]), 0);
        sem_wait(&fixture_done);
    }
}

static inline void fixture_start(struct fixture_settings settings)
{
    pl_error_t error;
    pl_log_set_level(PL_LOG_ERROR);
    start_threads();
    memset(&fixture, 0, sizeof(fixture));
    fixture.loop = fixture_loops[0];
    fixture.auth = settings.auth;
    fixture.workers_count = settings.workers > 0 ? settings.workers : 1;
    fixture.big = pl_malloc(BIG_BYTES);
    memset(fixture.big, 'b', BIG_BYTES);
    fixture.router = pl_router_create();
    if (settings.routes != NULL)
        pl_router_add(fixture.router, settings.routes, settings.routes_count);
    else
        pl_router_add(fixture.router, fixture_routes,
                      sizeof(fixture_routes) / sizeof(fixture_routes[0]));
    pl_server_options_t options = {
        .name = "test",
        .address = "127.0.0.1",
        .workers = fixture.workers_count,
        .max_connections = settings.max_connections,
        .max_requests_in_flight_per_connection = settings.max_in_flight,
        .max_requests_in_flight_per_user = MAX_HELD,
        .max_unsent_per_user = 2 * BIG_BYTES,
        .max_unsent_per_connection = 2 * BIG_BYTES,
        .max_unsent = 2 * BIG_BYTES,
        .max_request_body = MAX_BODY,
        .stream_queue = STREAM_QUEUE,
        .stream_stall_s = STALL_S,
        .drain_timeout_s = 1,
        .cookie_name = settings.cookie_name,
        .trusts_forwarded = true,
        .trusted_proxies = settings.trusted_proxies,
        .endings = settings.endings,
    };
    if (pl_server_create(&options, fixture.router, &fixture.server, &error) != 0)
        fail_msg("%s", error.message);
    fixture.port = pl_server_port(fixture.server);
    for (unsigned i = 0; i < fixture.workers_count; i++) {
        fixture_post(i, start_worker, (void *)(uintptr_t)i);
        sem_wait(&fixture_done);
    }
}

static inline void on_worker_destroyed(void *owner)
{
    (void)owner;
    sem_post(&fixture_done);
}

static inline void destroy_worker(void *argument)
{
    unsigned index = (unsigned)(uintptr_t)argument;
    pl_server_worker_destroy(&fixture.workers[index], on_worker_destroyed, NULL);
}

/* Returns when the server has freed everything. */
static inline void fixture_stop(void)
{
    for (unsigned i = 0; i < fixture.workers_count; i++) {
        fixture_post(i, destroy_worker, (void *)(uintptr_t)i);
        sem_wait(&fixture_done);
    }
    pl_server_stats_t stats;
    pl_server_read_stats(fixture.server, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.streams, 0);
    assert_int_equal(stats.requests_in_flight, 0);
    assert_int_equal(atomic_load(&fixture.held_count), 0);
    pl_server_destroy(&fixture.server);
    pl_router_destroy(&fixture.router);
    free(fixture.big);
}

/* ---- the client ---- */

static inline int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline void send_bytes(int fd, const void *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server closed the connection; the test checks the effect elsewhere */
        data = (const char *)data + sent;
        len -= (size_t)sent;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/* Reads until `wanted` has come, the connection ends, or 5 s are over. The text ends in a NUL.
 * Returns true if `wanted` has come. */
static inline bool read_until(int fd, const char *wanted, pl_buffer_t *into)
{
    int64_t end_ms = pl_clock_monotonic_ms() + 5000;
    for (;;) {
        if (wanted != NULL &&
            memmem(into->data != NULL ? into->data : "", into->len, wanted, strlen(wanted)) != NULL)
            break;
        int64_t left_ms = end_ms - pl_clock_monotonic_ms();
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&waiting, 1, (int)left_ms) <= 0)
            return false;
        ssize_t got = recv(fd, pl_buffer_reserve(into, 65536), 65536, 0);
        if (got <= 0) {
            pl_buffer_terminate(into);
            return wanted == NULL;
        }
        into->len += (size_t)got;
    }
    pl_buffer_terminate(into);
    return true;
}

/* Sends one HTTP/1.1 request that closes the connection. Returns the whole answer, which the caller
 * frees. */
static inline char *ask(const char *request_line, const char *more_headers, const char *body)
{
    int fd = dial();
    pl_buffer_t request = PL_BUFFER_EMPTY, answer = PL_BUFFER_EMPTY;
    pl_buffer_appendf(&request, "%s HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n%s",
                      request_line, more_headers);
    if (body != NULL)
        pl_buffer_appendf(&request, "Content-Length: %zu\r\n", strlen(body));
    pl_buffer_appendf(&request, "\r\n%s", body != NULL ? body : "");
    send_bytes(fd, request.data, request.len);
    assert_true(read_until(fd, NULL, &answer));
    pl_buffer_dispose(&request);
    close(fd);
    return pl_buffer_detach(&answer, NULL);
}

static inline void assert_has(const char *text, const char *part)
{
    if (strcasestr(text, part) == NULL)
        fail_msg("no \"%s\" in: %.600s", part, text);
}

/* Checks that the answer is that problem, with its status. */
static inline void assert_problem(char *answer, int status, const char *code)
{
    char expected[128];
    snprintf(expected, sizeof(expected), "HTTP/1.1 %d ", status);
    assert_has(answer, expected);
    assert_has(answer, "content-type: application/problem+json\r\n");
    assert_has(answer, "x-request-id: ");
    snprintf(expected, sizeof(expected), "\"code\":\"%s\"", code);
    assert_has(answer, expected);
    free(answer);
}

/* Waits up to 5 s. */
static inline void await_value(atomic_int *value, int wanted)
{
    for (int i = 0; i < 500 && atomic_load(value) != wanted; i++)
        usleep(10000);
    assert_int_equal(atomic_load(value), wanted);
}

/* ---- HTTP/2 by hand ---- */

enum { H2_DATA, H2_HEADERS, H2_PRIORITY, H2_RST_STREAM, H2_SETTINGS, H2_PUSH, H2_PING, H2_GOAWAY };

static inline void h2_frame(pl_buffer_t *out, int type, int flags, uint32_t stream,
                            const void *payload, size_t len)
{
    unsigned char header[9] = {
        (unsigned char)(len >> 16),    (unsigned char)(len >> 8),    (unsigned char)len,
        (unsigned char)type,           (unsigned char)flags,         (unsigned char)(stream >> 24),
        (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream,
    };
    pl_buffer_append(out, header, sizeof(header));
    pl_buffer_append(out, payload, len);
}

/* Sends the preface. `window` is SETTINGS_INITIAL_WINDOW_SIZE. */
static inline void h2_begin(pl_buffer_t *out, uint32_t window)
{
    unsigned char settings[6] = {0,
                                 4,
                                 (unsigned char)(window >> 24),
                                 (unsigned char)(window >> 16),
                                 (unsigned char)(window >> 8),
                                 (unsigned char)window};
    pl_buffer_append_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_frame(out, H2_SETTINGS, 0, 0, settings, sizeof(settings));
}

/* Sends GET path, with END_STREAM and END_HEADERS. */
static inline void h2_get(pl_buffer_t *out, uint32_t stream, const char *path)
{
    pl_buffer_t block = PL_BUFFER_EMPTY;
    pl_buffer_append(&block, "\x82\x86\x04", 3);
    pl_buffer_append_char(&block, (char)strlen(path));
    pl_buffer_append_text(&block, path);
    h2_frame(out, H2_HEADERS, 5, stream, block.data, block.len);
    pl_buffer_dispose(&block);
}

static inline void h2_reset(pl_buffer_t *out, uint32_t stream)
{
    h2_frame(out, H2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
}

/* Returns true if such a frame of that stream has come. */
static inline bool h2_has_frame(const pl_buffer_t *input, int type, uint32_t stream)
{
    for (size_t at = 0; at + 9 <= input->len;) {
        const unsigned char *frame = (const unsigned char *)input->data + at;
        uint32_t id = (uint32_t)frame[5] << 24 | (uint32_t)frame[6] << 16 |
                      (uint32_t)frame[7] << 8 | frame[8];
        if (frame[3] == type && (id & 0x7fffffff) == stream)
            return true;
        at += 9 + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
    }
    return false;
}

/* Reads until that frame has come or 5 s are over. */
static inline bool h2_read_until_frame(int fd, pl_buffer_t *input, int type, uint32_t stream)
{
    for (int i = 0; i < 500 && !h2_has_frame(input, type, stream); i++) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (poll(&waiting, 1, 10) <= 0)
            continue;
        ssize_t got = recv(fd, pl_buffer_reserve(input, 65536), 65536, 0);
        if (got <= 0)
            break;
        input->len += (size_t)got;
    }
    return h2_has_frame(input, type, stream);
}

#endif
