/* Proves over a real listener: paths and queries are parsed strictly; every error is problem
 * details with a request id; answers have their length and keep the connection open; pipelined
 * requests are answered in order. */
#include "http_fixture.h"

static int start(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 100, .max_in_flight = 100});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop();
    return 0;
}

static void expect(const char *request_line, const char *part)
{
    char *answer = ask(request_line, "", NULL);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, part);
    free(answer);
}

static void test_paths_are_split_before_they_are_decoded(void **state)
{
    (void)state;
    expect("GET /echo/a/x/b", "[a|b]");
    expect("GET /echo/a%2Fb%20/x/%7b", "[a/b |{]");
    expect("GET /%65cho/a/x/b?", "[a|b]");
    assert_problem(ask("GET /echo/a%00/x/b", "", NULL), 400, "malformed-request");
    assert_problem(ask("GET /echo/a%zz/x/b", "", NULL), 400, "malformed-request");
    assert_problem(ask("GET /echo//x/b", "", NULL), 404, "not-found");
    assert_problem(ask("GET /echo/../quick", "", NULL), 404, "not-found");
    assert_problem(ask("GET //quick", "", NULL), 404, "not-found");
    assert_problem(ask("GET /a/b/c/d/e/f/g/h/i/j/k", "", NULL), 404, "not-found");
    assert_problem(ask("GET *", "", NULL), 404, "not-found");
}

static void assert_redirect(char *answer, const char *location)
{
    assert_has(answer, "HTTP/1.1 308 Permanent Redirect\r\n");
    assert_has(answer, location);
    free(answer);
}

static void test_a_trailing_slash_is_redirected(void **state)
{
    (void)state;
    assert_redirect(ask("GET /quick/", "", NULL), "\r\nlocation: /quick\r\n");
    assert_redirect(ask("HEAD /quick/", "", NULL), "\r\nlocation: /quick\r\n");
    assert_redirect(ask("GET /quick/?a=%2F&b=/", "", NULL), "\r\nlocation: /quick?a=%2F&b=/\r\n");
    assert_redirect(ask("GET /echo/a%2F/x/b/", "", NULL), "\r\nlocation: /echo/a%2F/x/b\r\n");
    assert_redirect(ask("POST /body/", "", "{}"), "\r\nlocation: /body\r\n");
    char *answer = ask("PUT /quick/", "", NULL);
    assert_has(answer, "\r\nallow: GET, HEAD, DELETE\r\n");
    assert_problem(answer, 405, "method-not-allowed");
    /* An empty last segment of a DELETE can be an id that the client forgot. */
    assert_problem(ask("DELETE /quick/", "", NULL), 404, "not-found");
    assert_problem(ask("GET /quick//", "", NULL), 404, "not-found");
    assert_problem(ask("GET //", "", NULL), 404, "not-found");
    assert_problem(ask("GET //quick/", "", NULL), 404, "not-found");
    assert_problem(ask("GET //other.example/", "", NULL), 404, "not-found");
    assert_problem(ask("GET /other/", "", NULL), 404, "not-found");
    assert_problem(ask("GET /a/b/c/d/e/f/g/h/i/", "", NULL), 404, "not-found");
}

static void test_lists_are_joined(void **state)
{
    (void)state;
    expect("GET /query?list=a,b", "list [a,b]");
    expect("GET /query?list=a&list=b", "list [a,b]");
    expect("GET /query?list=a%2Cb&number=5&list=c+d&list=%C3%A4,e&text=x",
           "number 5 text [x] list [a,b,c d,\xc3\xa4,e]");
    expect("GET /query?list=", "list []");
    expect("GET /query?list&list=&list", "list [,,]");
    assert_problem(ask("GET /query?list=a&list=%", "", NULL), 400, "invalid-query");
    assert_problem(ask("GET /query?list=%00&list=a", "", NULL), 400, "invalid-query");
    /* The two halves of a character do not make one: a comma stands between them. */
    assert_problem(ask("GET /query?list=%c3&list=%a4", "", NULL), 400, "invalid-query");
    assert_problem(ask("GET /query?list=a&list=%ff", "", NULL), 400, "invalid-query");
}

static void test_a_list_of_very_many_values(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static char line[16 + COUNT * sizeof("list=1&")], expected[16 + COUNT * sizeof("1,")];
    size_t line_len = (size_t)sprintf(line, "GET /query?");
    size_t expected_len = (size_t)sprintf(expected, "list [");
    for (int i = 0; i < COUNT; i++) {
        line_len += (size_t)sprintf(line + line_len, i > 0 ? "&list=%d" : "list=%d", i % 10);
        expected_len += (size_t)sprintf(expected + expected_len, i > 0 ? ",%d" : "%d", i % 10);
    }
    expected[expected_len++] = ']';
    expected[expected_len] = '\0';
    expect(line, expected);
}

static void test_unknown_and_repeated_parameters_are_refused(void **state)
{
    (void)state;
    expect("GET /query", "number 20 text []");
    expect("GET /query?number=100&text=a+b%26%C3%A4", "number 100 text [a b&\xc3\xa4]");
    expect("GET /query?&&text=&", "number 20 text []");
    assert_problem(ask("GET /query?other=1", "", NULL), 400, "invalid-query");
    assert_problem(ask("GET /query?number=1&number=1", "", NULL), 400, "invalid-query");
    assert_problem(ask("GET /query?text=%", "", NULL), 400, "invalid-query");
    assert_problem(ask("GET /query?text=%ff", "", NULL), 400, "invalid-query");
    assert_problem(ask("GET /query?text=%00", "", NULL), 400, "invalid-query");
    static const char *const numbers[] = {
        "0", "101", "-1", "1.5", "", "x", "1e1", "01", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "GET /query?number=%s", numbers[i]);
        char *answer = ask(line, "", NULL);
        assert_has(answer, "\"errors\":[{\"pointer\":\"?number\",\"detail\":\"must be");
        assert_problem(answer, 422, "validation-failed");
    }
}

static void test_methods_and_bodies(void **state)
{
    (void)state;
    char *answer = ask("PUT /quick", "", NULL);
    assert_has(answer, "\r\nallow: GET, HEAD, DELETE\r\n");
    assert_problem(answer, 405, "method-not-allowed");

    answer = ask("HEAD /quick", "", NULL);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "content-length: 14\r\n");
    assert_null(strstr(answer, "quick\""));
    free(answer);
    answer = ask("HEAD /held", "", NULL);
    assert_has(answer, "HTTP/1.1 405 ");
    assert_has(answer, "\r\nallow: GET\r\n");
    free(answer);

    /* An error must have no body either, or the client would take it for the next answer. */
    answer = ask("HEAD /missing", "", NULL);
    assert_has(answer, "HTTP/1.1 404 ");
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);

    answer = ask("DELETE /quick", "", NULL);
    assert_has(answer, "HTTP/1.1 204 No Content\r\n");
    assert_null(strcasestr(answer, "content-length"));
    free(answer);

    answer = ask("POST /body", "Content-Type: application/json; charset=utf-8\r\n", "{\"a\":1}");
    assert_has(answer, "7 bytes");
    free(answer);
    assert_problem(ask("POST /body", "Content-Type: text/plain\r\n", "{}"), 415,
                   "unsupported-media-type");
    assert_problem(ask("POST /body", "Content-Type: application/jsonx\r\n", "{}"), 415,
                   "unsupported-media-type");
    assert_problem(ask("POST /body", "", "{}"), 415, "unsupported-media-type");
    assert_problem(ask("GET /quick", "", "{}"), 400, "malformed-request");
    pl_log_set_fd(
        open("/dev/null", O_WRONLY | O_CLOEXEC)); /* the server logs an error, as it should */
    assert_problem(ask("GET /forgotten", "", NULL), 500, "internal-error");
    pl_log_set_fd(STDERR_FILENO);
}

static char *repeat(char c, size_t len)
{
    char *text = pl_malloc(len + 1);
    memset(text, c, len);
    text[len] = '\0';
    return text;
}

static void test_bodies_have_a_limit(void **state)
{
    (void)state;
    const char *json = "Content-Type: application/json\r\n";
    char *body = repeat('x', MAX_BODY);
    char *answer = ask("POST /body", json, body);
    assert_has(answer, "4096 bytes");
    free(answer);
    free(body);
    body = repeat('x', MAX_BODY + 1);
    assert_problem(ask("POST /body", json, body), 413, "body-too-large");
    free(body);
    /* Above libh2o's own limit, and with chunks: its errors are problems as well. */
    body = repeat('x', 10 * MAX_BODY);
    assert_problem(ask("POST /body", json, body), 413, "body-too-large");
    free(body);
    assert_problem(ask("POST /body", "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", NULL), 400,
                   "malformed-request");
    assert_problem(ask("POST /body", "Expect: a-miracle\r\n", "{}"), 417, "expectation-failed");
}

static void test_headers_have_a_limit(void **state)
{
    (void)state;
    char *value = repeat('v', 40000);
    pl_buffer_t headers = PL_BUFFER_EMPTY;
    pl_buffer_appendf(&headers, "X-Long: %s\r\n", value);
    assert_problem(ask("GET /quick", pl_buffer_terminate(&headers), NULL), 431,
                   "headers-too-large");
    pl_buffer_dispose(&headers);
    free(value);
}

static void test_request_ids(void **state)
{
    (void)state;
    char *answer = ask("GET /quick", "X-Request-Id: abc-1.2_Z\r\n", NULL);
    assert_has(answer, "\r\nx-request-id: abc-1.2_Z\r\n");
    free(answer);
    answer = ask("GET /missing", "X-Request-Id: abc\r\n", NULL);
    assert_has(answer, "\"requestId\":\"abc\"");
    free(answer);
    static const char *const bad[] = {"a b", "a\"b", "", "\xc3\xa4",
                                      "12345678901234567890123456789012345678901234567890123456789"
                                      "012345"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char header[128];
        snprintf(header, sizeof(header), "X-Request-Id: %s\r\n", bad[i]);
        answer = ask("GET /quick", header, NULL);
        const char *id = strstr(answer, "\r\nx-request-id: ") + 16;
        assert_int_equal(strspn(id, "0123456789abcdef"), 16);
        assert_memory_equal(id + 16, "\r\n", 2);
        free(answer);
    }
}

static char *get_sized(const char *path, int bytes)
{
    char line[64];
    snprintf(line, sizeof(line), "GET /%s/%d", path, bytes);
    return ask(line, "", NULL);
}

static void test_answers_that_a_proxy_may_compress(void **state)
{
    (void)state;
    char *answer = get_sized("sized", 1023);
    assert_has(answer, "\r\ncache-control: no-store, no-transform\r\n");
    free(answer);
    answer = get_sized("sized", 1024);
    assert_has(answer, "\r\ncache-control: no-store\r\n");
    free(answer);
    answer = get_sized("token", 5000);
    assert_has(answer, "\r\ncache-control: no-store, no-transform\r\n");
    free(answer);
}

static void test_etags(void **state)
{
    (void)state;
    static const char *const matching[] = {"\"7\"", "W/\"7\"", "*", "\"6\", \"7\"",
                                           "\"6\" ,W/\"7\" "};
    static const char *const other[] = {"\"6\"", "7", "\"77\"", "\"7", ",,"};
    char header[64];
    for (size_t i = 0; i < 5; i++) {
        snprintf(header, sizeof(header), "If-None-Match: %s\r\n", matching[i]);
        char *answer = ask("GET /etag", header, NULL);
        assert_has(answer, "HTTP/1.1 304 Not Modified\r\n");
        assert_has(answer, "\r\netag: \"7\"\r\n");
        assert_has(answer, "\r\nvary: authorization, cookie\r\n");
        assert_has(answer, "\r\ncache-control: private, no-cache\r\n");
        free(answer);
        snprintf(header, sizeof(header), "If-None-Match: %s\r\n", other[i]);
        answer = ask("GET /etag", header, NULL);
        assert_has(answer, "HTTP/1.1 200 OK\r\n");
        assert_has(answer, "\r\ncache-control: private, no-cache, no-transform\r\n");
        free(answer);
    }
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        found++;
    return found;
}

/* Errors, an empty answer, a delayed answer and a good one on one connection: they come in order,
 * and none closes the connection. */
static void test_pipelined_requests(void **state)
{
    (void)state;
    int fd = dial();
    pl_buffer_t requests = PL_BUFFER_EMPTY, answers = PL_BUFFER_EMPTY;
    for (int i = 0; i < 50; i++) {
        pl_buffer_append_text(&requests, "GET /missing HTTP/1.1\r\nHost: a\r\n\r\n"
                                         "DELETE /quick HTTP/1.1\r\nHost: a\r\n\r\n");
        pl_buffer_appendf(&requests, "GET /echo/%d/x/y HTTP/1.1\r\nHost: a\r\n\r\n", i);
    }
    pl_buffer_append_text(&requests, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                                     "GET /echo/last/x/y HTTP/1.1\r\nHost: a\r\n\r\n");
    send_bytes(fd, requests.data, requests.len);
    assert_true(read_until(fd, "[last|y]", &answers));
    assert_int_equal(count(answers.data, "HTTP/1.1 404 "), 50);
    assert_int_equal(count(answers.data, "HTTP/1.1 204 "), 50);
    assert_int_equal(count(answers.data, "HTTP/1.1 200 "), 52);
    const char *at = answers.data;
    for (int i = 0; i < 50; i++) {
        char part[32];
        snprintf(part, sizeof(part), "[%d|y]", i);
        at = strstr(at, part);
        assert_non_null(at);
    }
    assert_non_null(strstr(at, "\"later\""));
    close(fd);
    pl_buffer_dispose(&requests);
    pl_buffer_dispose(&answers);
}

static void test_garbage(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client hello",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame, not a frame, not a frame",
    };
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        int fd = dial();
        pl_buffer_t answer = PL_BUFFER_EMPTY;
        send_text(fd, garbage[i]);
        shutdown(fd, SHUT_WR);
        read_until(fd, NULL, &answer);
        pl_buffer_dispose(&answer);
        close(fd);
    }
    expect("GET /quick", "quick");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths_are_split_before_they_are_decoded, start, stop),
        cmocka_unit_test_setup_teardown(test_a_trailing_slash_is_redirected, start, stop),
        cmocka_unit_test_setup_teardown(test_unknown_and_repeated_parameters_are_refused, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_lists_are_joined, start, stop),
        cmocka_unit_test_setup_teardown(test_a_list_of_very_many_values, start, stop),
        cmocka_unit_test_setup_teardown(test_methods_and_bodies, start, stop),
        cmocka_unit_test_setup_teardown(test_bodies_have_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(test_headers_have_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(test_request_ids, start, stop),
        cmocka_unit_test_setup_teardown(test_answers_that_a_proxy_may_compress, start, stop),
        cmocka_unit_test_setup_teardown(test_etags, start, stop),
        cmocka_unit_test_setup_teardown(test_pipelined_requests, start, stop),
        cmocka_unit_test_setup_teardown(test_garbage, start, stop),
    };
    return RUN_TESTS(tests);
}
