/* Proves: a port in use and a bad address give clear errors; connections spread over the workers;
 * above the cap new connections wait until others close; a drain ends idle connections, lets
 * requests in flight finish and closes the listener; h2c works with its preface and by upgrade. */
#include "http_fixture.h"

static void try_port(const char *address, uint16_t port, const char *expected)
{
    pl_error_t error;
    pl_server_t *server = NULL;
    pl_router_t *router = pl_router_create();
    pl_server_options_t options = {
        .name = "other", .address = address, .port = port, .workers = 1, .max_connections = 1};
    assert_int_equal(pl_server_create(&options, router, &server, &error), -1);
    assert_has(error.message, expected);
    assert_null(server);
    pl_router_destroy(&router);
}

static void test_a_port_in_use_is_an_error(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 10, .max_in_flight = 10});
    char expected[64];
    snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1 port %u: the port is in use",
             fixture.port);
    try_port("127.0.0.1", fixture.port, expected);
    try_port("localhost", 0, "\"localhost\" is not a numeric address");
    try_port("192.0.2.1", 0, "cannot listen on 192.0.2.1 port 0");
    fixture_stop();
}

static unsigned held_on(unsigned worker)
{
    unsigned count = 0;
    pthread_mutex_lock(&held_lock);
    for (size_t i = 0; i < MAX_HELD; i++)
        count += fixture.held[i] != NULL &&
                 pl_request_loop(fixture.held[i]) == fixture_loops[worker];
    pthread_mutex_unlock(&held_lock);
    return count;
}

static void test_connections_spread_over_workers(void **state)
{
    (void)state;
    fixture_start(
        (struct fixture_settings){.workers = 2, .max_connections = 100, .max_in_flight = 10});
    int fds[16];
    for (int i = 0; i < 16; i++) {
        fds[i] = dial();
        send_text(fds[i], "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        await_value(&fixture.held_count, i + 1);
        int difference = (int)held_on(0) - (int)held_on(1);
        assert_true(difference >= -3 && difference <= 3);
    }
    for (int i = 0; i < 16; i++) {
        close(fds[i]);
        await_value(&fixture.held_count, 15 - i);
    }
    fixture_stop();
}

static void test_connections_above_the_cap_wait(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 4, .max_in_flight = 10});
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = dial();
        send_text(fds[i], "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    await_value(&fixture.held_count, 4);
    usleep(300000);
    assert_int_equal(atomic_load(&fixture.held_count), 4);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    await_value(&fixture.gone, 4);
    await_value(&fixture.held_count, 4);
    for (int i = 4; i < 8; i++)
        close(fds[i]);
    await_value(&fixture.gone, 8);
    fixture_stop();
}

static void drain_worker(void *argument)
{
    (void)argument;
    pl_server_worker_drain(fixture.workers[0]);
    sem_post(&fixture_done);
}

static void test_a_drain_ends_idle_connections(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 100, .max_in_flight = 10});
    pl_buffer_t answer = PL_BUFFER_EMPTY, out = PL_BUFFER_EMPTY, input = PL_BUFFER_EMPTY;
    int idle = dial(), used = dial(), busy = dial(), h2 = dial();
    send_text(used, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(read_until(used, "true}", &answer));
    send_text(busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    h2_begin(&out, 65535);
    h2_get(&out, 1, "/later");
    send_bytes(h2, out.data, out.len);
    await_value(&fixture.handled, 3);
    fixture_post(0, drain_worker, NULL);
    sem_wait(&fixture_done);

    assert_true(read_until(idle, NULL, &answer));
    assert_true(read_until(used, NULL, &answer));
    pl_buffer_clear(&answer);
    assert_true(read_until(busy, NULL, &answer));
    assert_has(answer.data, "Connection: close\r\n");
    assert_has(answer.data, "{\"later\":true}");
    assert_true(h2_read_until_frame(h2, &input, H2_DATA, 1));
    assert_true(h2_read_until_frame(h2, &input, H2_GOAWAY, 0));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof(address)), -1);
    close(late);
    close(idle);
    close(used);
    close(busy);
    close(h2);
    pl_buffer_dispose(&answer);
    pl_buffer_dispose(&out);
    pl_buffer_dispose(&input);
    fixture_stop();
}

static void test_h2c(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 100, .max_in_flight = 100});
    pl_buffer_t out = PL_BUFFER_EMPTY, input = PL_BUFFER_EMPTY;
    int fd = dial();
    h2_begin(&out, 65535);
    for (uint32_t i = 0; i < 50; i++)
        h2_get(&out, 2 * i + 1, i % 2 == 0 ? "/quick" : "/missing");
    send_bytes(fd, out.data, out.len);
    for (uint32_t i = 0; i < 50; i++)
        assert_true(h2_read_until_frame(fd, &input, H2_DATA, 2 * i + 1));
    close(fd);

    pl_buffer_clear(&input);
    fd = dial();
    send_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
    assert_true(read_until(fd, "HTTP/1.1 101 ", &input));
    pl_buffer_clear(&out);
    h2_begin(&out, 65535);
    send_bytes(fd, out.data, out.len);
    assert_true(read_until(fd, "{\"later\":true}", &input));
    close(fd);
    pl_buffer_dispose(&out);
    pl_buffer_dispose(&input);
    fixture_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_port_in_use_is_an_error),
        cmocka_unit_test(test_connections_spread_over_workers),
        cmocka_unit_test(test_connections_above_the_cap_wait),
        cmocka_unit_test(test_a_drain_ends_idle_connections),
        cmocka_unit_test(test_h2c),
    };
    return RUN_TESTS(tests);
}
