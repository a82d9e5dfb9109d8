/* Proves: /metrics is Prometheus text with the server's counts; /healthz answers 200 even if checks
 * fail; /readyz follows its checks and the drain; the OpenAPI document and the docs page are served
 * with an ETag and a content security policy. */
#include "http_fixture.h"

#include "admin/admin.h"
#include "http/static.h"

static pl_admin_t *admin;
static atomic_bool database_is_there;

static bool check_database(void *owner, char *detail, size_t detail_size)
{
    if (!atomic_load((atomic_bool *)owner))
        snprintf(detail, detail_size, "no \"lane\" is connected");
    return atomic_load((atomic_bool *)owner);
}

static void create_admin(void *argument)
{
    (void)argument;
    pl_error_t error;
    if (pl_admin_create(fixture_loops[1], "127.0.0.1", 0, &admin, &error) != 0)
        abort();
    pl_admin_add_check(admin, "database", check_database, &database_is_there);
    sem_post(&fixture_done);
}

static void drain_admin(void *argument)
{
    (void)argument;
    pl_admin_set_draining(admin);
    sem_post(&fixture_done);
}

static void destroy_admin(void *argument)
{
    (void)argument;
    pl_admin_destroy(&admin, on_worker_destroyed, NULL);
}

static int start(void **state)
{
    (void)state;
    fixture_start((struct fixture_settings){.max_connections = 10, .max_in_flight = 10});
    fixture_post(1, create_admin, NULL);
    sem_wait(&fixture_done);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_post(1, destroy_admin, NULL);
    sem_wait(&fixture_done);
    fixture_stop();
    return 0;
}

static char *ask_admin(const char *line)
{
    uint16_t port = fixture.port;
    fixture.port = pl_admin_port(admin);
    char *answer = ask(line, "", NULL);
    fixture.port = port;
    return answer;
}

static void expect(const char *line, const char *status, const char *part)
{
    char *answer = ask_admin(line);
    assert_has(answer, status);
    assert_has(answer, part);
    free(answer);
}

static void test_health_and_readiness(void **state)
{
    (void)state;
    atomic_store(&database_is_there, true);
    expect("GET /readyz", "HTTP/1.1 200 ", "{\"status\":\"ready\",\"failures\":[]}");
    atomic_store(&database_is_there, false);
    expect("GET /readyz", "HTTP/1.1 503 ",
           "{\"status\":\"not-ready\",\"failures\":[{\"check\":\"database\","
           "\"detail\":\"no \\\"lane\\\" is connected\"}]}");
    expect("GET /healthz", "HTTP/1.1 200 ", "\"ok\"");
    atomic_store(&database_is_there, true);
    fixture_post(1, drain_admin, NULL);
    sem_wait(&fixture_done);
    expect("GET /readyz", "HTTP/1.1 503 ", "\"check\":\"draining\"");
    expect("GET /healthz", "HTTP/1.1 200 ", "\"ok\"");
    assert_problem(ask_admin("GET /v1/users"), 404, "not-found");
}

static void test_metrics(void **state)
{
    (void)state;
    free(ask("GET /quick", "", NULL));
    free(ask("GET /missing", "", NULL));
    free(ask("GET /query?number=0", "", NULL));
    char *answer = ask_admin("GET /metrics");
    assert_has(answer, "content-type: text/plain; version=0.0.4");
    assert_has(answer, "\n# TYPE parley_http_requests_total counter\n");
    assert_has(answer, "\nparley_http_requests_total{operation=\"quick\",status=\"2xx\"} 1\n");
    assert_has(answer, "\nparley_http_requests_total{operation=\"none\",status=\"4xx\"} ");
    assert_has(answer, "\nparley_http_requests_total{operation=\"query\",status=\"4xx\"} 1\n");
    assert_has(answer, "\nparley_http_request_duration_seconds_bucket{operation=\"quick\","
                       "le=\"0.0005\"} ");
    assert_has(answer, "\nparley_http_requests_in_flight 1\n");
    assert_has(answer, "\nparley_http_connections{server=\"admin\"} 1\n");
    assert_has(answer, "\nparley_http_connections_accepted_total{server=\"test\"} 3\n");
    free(answer);
}

static void on_file(pl_request_t *request, void *worker)
{
    (void)worker;
    pl_static_reply(request, &pl_static_files[1]);
}

static void test_static_files(void **state)
{
    (void)state;
    static const pl_route_t routes[] = {{"docs", "GET", "/docs", on_file, PL_ROUTE_PUBLIC}};
    assert_int_equal(pl_static_files_count, 2);
    fixture_stop();
    fixture_start((struct fixture_settings){
        .max_connections = 10, .max_in_flight = 10, .routes = routes, .routes_count = 1});
    char *answer = ask("GET /docs", "", NULL);
    assert_has(answer, "content-type: text/html; charset=utf-8\r\n");
    assert_has(answer, "\r\ncontent-security-policy: default-src 'none'; style-src 'sha256-");
    assert_has(answer, "\r\ncache-control: public, no-cache\r\n");
    assert_has(answer, "<html");
    const char *etag = strcasestr(answer, "\r\netag: ") + 8;
    char header[64];
    snprintf(header, sizeof(header), "If-None-Match: %.*s\r\n", 22, etag);
    free(answer);
    answer = ask("GET /docs", header, NULL);
    assert_has(answer, "HTTP/1.1 304 ");
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_health_and_readiness, start, stop),
        cmocka_unit_test_setup_teardown(test_metrics, start, stop),
        cmocka_unit_test_setup_teardown(test_static_files, start, stop),
    };
    return RUN_TESTS(tests);
}
