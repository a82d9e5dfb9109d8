/* Proves over a real listener, with HTTP/1 and HTTP/2: the server notices clients that leave at any
 * point, and uses nothing of theirs afterwards; it closes slow readers; reset floods and too much
 * unfinished work end the connection; a stream reports its end once. */
#include "http_fixture.h"

static int start(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 1000, .max_in_flight = 150});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop();
    return 0;
}

static void assert_serves(void)
{
    char *answer = ask("GET /quick", "", NULL);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    free(answer);
}

static void set_linger_zero(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* FIN, RST, half-close, and FIN behind a pipelined request. */
static void test_waiting_http1_clients_that_leave_are_noticed(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        int fd = dial();
        send_text(fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        if (way == 3)
            send_text(fd, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
        await_value(&fixture.held_count, 1);
        if (way == 1)
            set_linger_zero(fd);
        if (way == 2) {
            pl_buffer_t answer = PL_BUFFER_EMPTY;
            shutdown(fd, SHUT_WR);
            assert_true(read_until(fd, NULL, &answer));
            assert_has(answer.data, "HTTP/1.1 503 ");
            pl_buffer_dispose(&answer);
        }
        close(fd);
        await_value(&fixture.gone, way + 1);
        await_value(&fixture.held_count, 0);
    }
    assert_int_equal(atomic_load(&fixture.handled), 4);
    assert_serves();
}

static void test_waiting_http2_clients_that_leave_are_noticed(void **state)
{
    (void)state;
    int fd = dial();
    pl_buffer_t out = PL_BUFFER_EMPTY;
    h2_begin(&out, 65535);
    h2_get(&out, 1, "/held");
    h2_get(&out, 3, "/held");
    h2_get(&out, 5, "/held");
    send_bytes(fd, out.data, out.len);
    await_value(&fixture.held_count, 3);
    pl_buffer_clear(&out);
    h2_reset(&out, 3);
    send_bytes(fd, out.data, out.len);
    await_value(&fixture.gone, 1);
    close(fd);
    await_value(&fixture.gone, 3);
    pl_buffer_dispose(&out);
    assert_serves();
}

/* The reply comes after the client has left: before the server notices the end of the connection
 * (HTTP/1), and after that (HTTP/2). */
static void test_replies_to_vanished_clients(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = dial();
        send_text(fd,
                  "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /missing HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i % 2 == 0)
            set_linger_zero(fd);
        await_value(&fixture.handled, 2 * i + 1);
        close(fd);
        pl_buffer_t out = PL_BUFFER_EMPTY;
        fd = dial();
        h2_begin(&out, 65535);
        h2_get(&out, 1, "/later");
        send_bytes(fd, out.data, out.len);
        await_value(&fixture.handled, 2 * i + 2);
        if (i % 2 == 0) {
            pl_buffer_clear(&out);
            h2_reset(&out, 1);
            send_bytes(fd, out.data, out.len);
        }
        close(fd);
        pl_buffer_dispose(&out);
    }
    usleep(3 * LATER_MS * 1000);
    assert_serves();
}

/* The client does not read the response: the buffers of the kernel take a part, then no more is
 * sent. */
static void test_slow_readers_are_closed(void **state)
{
    (void)state;
    int fd = dial();
    int size = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    send_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    pl_server_stats_t stats;
    for (int i = 0; i < 500; i++) {
        usleep(10000);
        pl_server_read_stats(fixture.server, &stats);
        if (i > 20 && stats.connections == 0)
            break;
    }
    assert_int_equal(stats.connections, 0);
    close(fd);
    assert_serves();
}

/* One stream with a closed window is reset; another stream on the connection goes on. */
static void test_only_the_slow_http2_stream_is_reset(void **state)
{
    (void)state;
    int fd = dial();
    pl_buffer_t out = PL_BUFFER_EMPTY, input = PL_BUFFER_EMPTY;
    h2_begin(&out, 1000);
    h2_get(&out, 1, "/big");
    h2_get(&out, 3, "/held");
    h2_get(&out, 5, "/stream?count=100000&size=2000&open=1");
    send_bytes(fd, out.data, out.len);
    assert_true(h2_read_until_frame(fd, &input, H2_RST_STREAM, 1));
    assert_true(h2_read_until_frame(fd, &input, H2_RST_STREAM, 5));
    await_value(&fixture.streams_closed, 1);
    assert_int_equal(atomic_load(&fixture.held_count), 1);
    pl_buffer_clear(&out);
    h2_get(&out, 7, "/quick");
    send_bytes(fd, out.data, out.len);
    assert_true(h2_read_until_frame(fd, &input, H2_DATA, 7));
    close(fd);
    await_value(&fixture.gone, 1);
    pl_buffer_dispose(&out);
    pl_buffer_dispose(&input);
    assert_serves();
}

static void test_reset_floods_end_the_connection(void **state)
{
    (void)state;
    static const char *const paths[] = {"/held", "/later", "/quick", "/missing"};
    for (size_t way = 0; way < 4; way++) {
        atomic_store(&fixture.handled, 0);
        int fd = dial();
        pl_buffer_t out = PL_BUFFER_EMPTY, answer = PL_BUFFER_EMPTY;
        h2_begin(&out, 65535);
        for (uint32_t i = 0; i < 20000; i++) {
            h2_get(&out, 2 * i + 1, paths[way]);
            h2_reset(&out, 2 * i + 1);
        }
        send_bytes(fd, out.data, out.len);
        read_until(fd, NULL, &answer);
        close(fd);
        assert_true(atomic_load(&fixture.handled) <= 300);
        pl_buffer_dispose(&out);
        pl_buffer_dispose(&answer);
        assert_serves();
    }
    usleep(3 * LATER_MS * 1000);
}

/* Cancelled work counts until it is done. */
static void test_work_in_flight_is_bounded(void **state)
{
    (void)state;
    int fd = dial();
    pl_buffer_t out = PL_BUFFER_EMPTY;
    h2_begin(&out, 65535);
    for (uint32_t i = 0; i < 190; i++) {
        h2_get(&out, 2 * i + 1, "/later");
        h2_reset(&out, 2 * i + 1);
    }
    send_bytes(fd, out.data, out.len);
    pl_buffer_t answer = PL_BUFFER_EMPTY;
    read_until(fd, NULL, &answer);
    assert_true(atomic_load(&fixture.handled) <= 150);
    close(fd);
    pl_buffer_dispose(&out);
    pl_buffer_dispose(&answer);
    usleep(3 * LATER_MS * 1000);
    assert_serves();
}

static void test_a_stream_ends_properly(void **state)
{
    (void)state;
    char *answer = ask("GET /stream?count=3&size=20", "", NULL);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "content-type: text/event-stream\r\n");
    assert_has(answer, "cache-control: no-store, no-transform\r\n");
    assert_has(answer, ":ok\n\n");
    assert_has(answer, "data: xxxxxxxxxxxxxx\n\n");
    assert_has(answer, "retry: 7\n\n\r\n0\r\n\r\n");
    free(answer);
    await_value(&fixture.streams_closed, 1);
    assert_int_equal(atomic_load(&fixture.last_reason), PL_STREAM_ENDED);

    int fd = dial();
    pl_buffer_t plain = PL_BUFFER_EMPTY;
    send_text(fd, "GET /stream?count=2 HTTP/1.0\r\n\r\n");
    assert_true(read_until(fd, NULL, &plain));
    assert_has(plain.data, "retry: 7\n\n");
    close(fd);
    pl_buffer_dispose(&plain);
    await_value(&fixture.streams_closed, 2);
    assert_int_equal(atomic_load(&fixture.last_reason), PL_STREAM_ENDED);

    pl_buffer_t out = PL_BUFFER_EMPTY, input = PL_BUFFER_EMPTY;
    fd = dial();
    h2_begin(&out, 65535);
    h2_get(&out, 1, "/stream?count=3&size=20");
    send_bytes(fd, out.data, out.len);
    assert_true(h2_read_until_frame(fd, &input, H2_DATA, 1));
    await_value(&fixture.streams_closed, 3);
    assert_int_equal(atomic_load(&fixture.last_reason), PL_STREAM_ENDED);
    close(fd);
    pl_buffer_dispose(&out);
    pl_buffer_dispose(&input);
}

static void test_clients_of_idle_streams_that_leave_are_noticed(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        int fd = dial();
        pl_buffer_t out = PL_BUFFER_EMPTY, input = PL_BUFFER_EMPTY;
        if (way < 2) {
            pl_buffer_append_text(&out, "GET /stream?open=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        } else {
            h2_begin(&out, 65535);
            h2_get(&out, 1, "/stream?open=1");
        }
        send_bytes(fd, out.data, out.len);
        assert_true(read_until(fd, ":ok", &input));
        if (way == 1)
            set_linger_zero(fd);
        close(fd);
        await_value(&fixture.streams_closed, way + 1);
        assert_int_equal(atomic_load(&fixture.last_reason), PL_STREAM_GONE);
        pl_buffer_dispose(&out);
        pl_buffer_dispose(&input);
    }
    assert_serves();
}

/* Small events queue behind a full socket until the queue overflows; an event larger than all
 * buffers stalls. */
static void test_streams_that_are_not_read_are_closed(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int reason;
    } cases[] = {
        {"GET /stream?count=100000&size=60000&open=1 HTTP/1.1\r\nHost: a\r\n\r\n",
         PL_STREAM_OVERFLOW},
        {"GET /stream?count=1&size=10000000&open=1 HTTP/1.1\r\nHost: a\r\n\r\n", PL_STREAM_STALLED},
        {"GET /stream?count=1&size=10000000 HTTP/1.1\r\nHost: a\r\n\r\n", PL_STREAM_STALLED},
    };
    for (int i = 0; i < 3; i++) {
        int fd = dial();
        int size = 4096;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        send_text(fd, cases[i].request);
        for (int n = 0; n < 1500 && atomic_load(&fixture.streams_closed) <= i; n++)
            usleep(10000);
        await_value(&fixture.streams_closed, i + 1);
        assert_int_equal(atomic_load(&fixture.last_reason), cases[i].reason);
        close(fd);
    }
    assert_serves();
}

static void test_the_server_ends_with_everything_open(void **state)
{
    (void)state;
    int fds[30];
    for (int i = 0; i < 30; i++) {
        fds[i] = dial();
        pl_buffer_t out = PL_BUFFER_EMPTY;
        if (i % 2 == 0) {
            h2_begin(&out, i % 4 == 0 ? 65535 : 0);
            h2_get(&out, 1, "/held");
            h2_get(&out, 3, "/stream?count=10000&open=1");
            h2_get(&out, 5, "/later");
            h2_get(&out, 7, "/big");
        } else {
            pl_buffer_appendf(&out, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
                              i % 3 == 0   ? "/held"
                              : i % 3 == 1 ? "/stream?count=10000&open=1"
                                           : "/quick");
        }
        send_bytes(fds[i], out.data, out.len);
        pl_buffer_dispose(&out);
    }
    await_value(&fixture.held_count, 20);
    fixture_stop();
    for (int i = 0; i < 30; i++)
        close(fds[i]);
    start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waiting_http1_clients_that_leave_are_noticed, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_waiting_http2_clients_that_leave_are_noticed, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_replies_to_vanished_clients, start, stop),
        cmocka_unit_test_setup_teardown(test_slow_readers_are_closed, start, stop),
        cmocka_unit_test_setup_teardown(test_only_the_slow_http2_stream_is_reset, start, stop),
        cmocka_unit_test_setup_teardown(test_reset_floods_end_the_connection, start, stop),
        cmocka_unit_test_setup_teardown(test_work_in_flight_is_bounded, start, stop),
        cmocka_unit_test_setup_teardown(test_a_stream_ends_properly, start, stop),
        cmocka_unit_test_setup_teardown(test_clients_of_idle_streams_that_leave_are_noticed, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_streams_that_are_not_read_are_closed, start, stop),
        cmocka_unit_test_setup_teardown(test_the_server_ends_with_everything_open, start, stop),
    };
    return RUN_TESTS(tests);
}
