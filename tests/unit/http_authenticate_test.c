/* Proves: a request without a valid token gets 401 and a WWW-Authenticate header; a cookie works
 * for reads, and for other requests only from our own origin; a public route ignores tokens; the
 * token of an ended session is refused; and a client's address is taken from the edge alone. */
#include "auth/endings.h"
#include "http_fixture.h"

#define SESSION_ID 1795291200183413

static void on_me(pl_request_t *request, void *worker)
{
    (void)worker;
    const pl_token_claims_t *claims = pl_request_claims(request);
    char text[64];
    snprintf(text, sizeof(text), "user %lld", claims != NULL ? (long long)claims->user_id : 0);
    reply_text(request, text);
}

static void on_address(pl_request_t *request, void *worker)
{
    (void)worker;
    char address[PL_ADDRESS_SIZE];
    pl_request_client_address(request, address);
    reply_text(request, address);
}

static const pl_route_t routes[] = {
    {"address", "GET", "/address", on_address, PL_ROUTE_PUBLIC},
    {"me", "GET", "/me", on_me, 0},
    {"change", "POST", "/me", on_me, PL_ROUTE_BODY},
    {"public", "GET", "/public", on_me, PL_ROUTE_PUBLIC},
    {"optional", "GET", "/optional", on_me, PL_ROUTE_OPTIONAL_AUTH},
};

static char *token;
static pl_auth_t *auth;
static pl_endings_t *endings;

static int start(void **state)
{
    (void)state;
    char path[] = PL_TEST_SCRATCH_DIR "/http_auth_XXXXXX";
    char text[300];
    pl_config_t config;
    pl_error_t error;
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, "0123456789abcdef0123456789abcdef", 32) != 32)
        return -1;
    close(fd);
    snprintf(text, sizeof(text), "[auth]\njwt_key_file=%s\n", path);
    if (pl_config_parse("test", text, strlen(text), &config, &error) != 0 ||
        pl_auth_create(&config, &auth, &error) != 0)
        return -1;
    pl_config_free(&config);
    unlink(path);
    int64_t now_s = (int64_t)time(NULL);
    token = pl_token_mint(auth, &(pl_token_claims_t){
                                    .user_id = 4242,
                                    .session_id = SESSION_ID,
                                    .issued_s = now_s,
                                    .expires_s = now_s + 60,
                                });
    endings = pl_endings_create(60, 60, 0);
    fixture_start((struct fixture_settings){.max_connections = 100,
                                            .max_in_flight = 100,
                                            .cookie_name = "parley_token",
                                            .routes = routes,
                                            .routes_count = sizeof(routes) / sizeof(routes[0]),
                                            .endings = endings,
                                            .auth = auth});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop();
    pl_endings_destroy(&endings);
    pl_auth_destroy(&auth);
    free(token);
    return 0;
}

/* `headers` with %s for the token. */
static char *ask_with(const char *line, const char *headers, const char *body)
{
    pl_buffer_t filled = PL_BUFFER_EMPTY;
    const char *place = strstr(headers, "%s");
    if (place == NULL) {
        pl_buffer_append_text(&filled, headers);
    } else {
        pl_buffer_append(&filled, headers, (size_t)(place - headers));
        pl_buffer_append_text(&filled, token);
        pl_buffer_append_text(&filled, place + 2);
    }
    char *answer = ask(line, pl_buffer_terminate(&filled), body);
    pl_buffer_dispose(&filled);
    return answer;
}

static void expect_user(const char *line, const char *headers, const char *body, int user)
{
    char expected[32];
    snprintf(expected, sizeof(expected), "\r\n\r\nuser %d", user);
    char *answer = ask_with(line, headers, body);
    assert_has(answer, "HTTP/1.1 200 ");
    assert_has(answer, expected);
    free(answer);
}

static void test_bearer(void **state)
{
    (void)state;
    expect_user("GET /me", "Authorization: Bearer %s\r\n", NULL, 4242);
    expect_user("GET /me", "authorization: bearer   %s\r\n", NULL, 4242);
    char *answer = ask_with("GET /me", "", NULL);
    assert_has(answer, "\r\nwww-authenticate: Bearer realm=\"parley\"\r\n");
    assert_problem(answer, 401, "unauthenticated");
    static const char *const bad[] = {
        "Authorization: Bearer %s.x\r\n", "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",     "Authorization: Basic %s\r\n",
        "Authorization: %s\r\n",          "Authorization: Bearer a b\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer = ask_with("GET /me", bad[i], NULL);
        assert_has(answer, "error=\"invalid_token\"");
        assert_null(strstr(answer, token));
        assert_problem(answer, 401, "invalid-token");
    }
    /* A bad header is refused even if there is a good cookie. */
    assert_problem(
        ask_with("GET /me", "Authorization: Basic x\r\nCookie: parley_token=%s\r\n", NULL), 401,
        "invalid-token");
}

static void test_cookies(void **state)
{
    (void)state;
    static const char json[] = "Content-Type: application/json\r\n";
    expect_user("GET /me", "Cookie: parley_token=%s\r\n", NULL, 4242);
    expect_user("GET /me", "Cookie: a=b; parley_token=%s; c=d\r\n", NULL, 4242);
    expect_user("GET /me", "Cookie: a=b\r\nCookie: xparley_token=q;parley_token=%s\r\n", NULL,
                4242);
    assert_problem(ask_with("GET /me", "Cookie: xparley_token=%s\r\n", NULL), 401,
                   "unauthenticated");
    assert_problem(ask_with("GET /me", "Cookie: parley_token=\r\n", NULL), 401, "invalid-token");

    static const struct {
        const char *headers;
        bool is_ours;
    } cases[] = {
        {"", false},
        {"Sec-Fetch-Site: same-origin\r\n", true},
        {"Sec-Fetch-Site: none\r\n", true},
        {"Sec-Fetch-Site: same-site\r\nOrigin: http://test.example\r\n", false},
        {"Sec-Fetch-Site: cross-site\r\n", false},
        {"Origin: https://test.example\r\n", true},
        {"Origin: http://TEST.example\r\n", true},
        {"Origin: https://evil.example\r\n", false},
        {"Origin: https://test.example.evil\r\n", false},
        {"Origin: https://test.example:1\r\n", false},
        {"Origin: null\r\n", false},
        {"Origin: https://\r\n", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char headers[256];
        snprintf(headers, sizeof(headers), "Cookie: parley_token=%%s\r\n%s%s", json,
                 cases[i].headers);
        if (cases[i].is_ours)
            expect_user("POST /me", headers, "{}", 4242);
        else
            assert_problem(ask_with("POST /me", headers, "{}"), 403, "cross-site-request");
    }
    /* A browser never sends a token in Authorization by itself. */
    expect_user("POST /me",
                "Authorization: Bearer %s\r\nSec-Fetch-Site: cross-site\r\n"
                "Content-Type: application/json\r\n",
                "{}", 4242);
}

static void test_public_and_optional(void **state)
{
    (void)state;
    expect_user("GET /public", "Authorization: Bearer nonsense\r\n", NULL, 0);
    expect_user("GET /optional", "", NULL, 0);
    expect_user("GET /optional", "Cookie: parley_token=%s\r\n", NULL, 0);
    expect_user("GET /optional", "Authorization: Bearer %s\r\n", NULL, 4242);
    assert_problem(ask_with("GET /optional", "Authorization: Bearer nonsense\r\n", NULL), 401,
                   "invalid-token");
}

static void test_ended_session(void **state)
{
    (void)state;
    pl_endings_add(endings, &(pl_ending_t){.user_id = 4242, .session_id = 7, .ended_us = 1});
    expect_user("GET /me", "Authorization: Bearer %s\r\n", NULL, 4242);
    pl_endings_add(endings, &(pl_ending_t){
                                .user_id = 4242,
                                .session_id = SESSION_ID,
                                .ended_us = SESSION_ID + 1,
                            });
    char *answer = ask_with("GET /me", "Authorization: Bearer %s\r\n", NULL);
    assert_has(answer, "error=\"invalid_token\"");
    assert_problem(answer, 401, "session-ended");
    assert_problem(ask_with("GET /me", "Cookie: parley_token=%s\r\n", NULL), 401, "session-ended");
    assert_problem(ask_with("GET /optional", "Authorization: Bearer %s\r\n", NULL), 401,
                   "session-ended");
    pl_endings_add(endings, &(pl_ending_t){.user_id = 4242, .ended_us = 1, .is_erased = true});
    assert_problem(ask_with("GET /me", "Authorization: Bearer %s\r\n", NULL), 401, "invalid-token");
}

/* The fixture's client is on loopback, where an edge is trusted. */
static void test_client_address(void **state)
{
    (void)state;
    static const struct {
        const char *headers, *address;
    } cases[] = {
        {"", "127.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"},
        {"X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"},
        {"X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n", "203.0.113.7"},
        {"X-Forwarded-For: 198.51.100.1,203.0.113.7\r\n", "203.0.113.7"},
        {"X-Forwarded-For: 203.0.113.7, evil\r\n", "127.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7,\r\n", "127.0.0.1"},
        {"X-Forwarded-For: 203.0.113.777777777777777777777777777777777777777\r\n", "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[80];
        snprintf(expected, sizeof(expected), "\r\n\r\n%s", cases[i].address);
        char *answer = ask("GET /address", cases[i].headers, NULL);
        size_t len = strlen(answer), expected_len = strlen(expected);
        assert_true(len > expected_len);
        assert_string_equal(answer + len - expected_len, expected);
        free(answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bearer, start, stop),
        cmocka_unit_test_setup_teardown(test_cookies, start, stop),
        cmocka_unit_test_setup_teardown(test_public_and_optional, start, stop),
        cmocka_unit_test_setup_teardown(test_client_address, start, stop),
        cmocka_unit_test_setup_teardown(test_ended_session, start, stop),
    };
    return RUN_TESTS(tests);
}
