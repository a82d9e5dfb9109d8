/* Proves: every key is read into its field, every mistake is refused with file and line, and
 * conf/parley.ini and conf/parleyctl.ini are what the table prints. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "config/config.h"
#include "config/options.h"
#include "testing.h"

static int parse(const char *text, pl_config_t *config, pl_error_t *err)
{
    return pl_config_parse("test.ini", text, strlen(text), config, err);
}

static void test_defaults(void **state)
{
    (void)state;
    pl_config_t config;
    assert_int_equal(parse("", &config, NULL), 0);
    assert_string_equal(config.server.listen_address, "127.0.0.1");
    assert_int_equal(config.server.http_port, 8080);
    assert_string_equal(config.server.trusted_proxies, "");
    assert_string_equal(config.server.admin_address, "127.0.0.1");
    assert_int_equal(config.server.admin_port, 8081);
    assert_int_equal(config.server.workers, 0);
    assert_int_equal(config.server.max_connections, 50000);
    assert_int_equal(config.server.max_requests_in_flight_per_connection, 1000);
    assert_int_equal(config.server.max_request_body, 524288);
    assert_int_equal(config.server.drain_timeout_s, 7);
    assert_string_equal(config.directory.dsn, "");
    assert_string_equal(config.auth.jwt_key_file, "");
    assert_int_equal(config.auth.token_lifetime_s, 900);
    assert_int_equal(config.auth.refresh_lifetime_s, 5184000);
    assert_int_equal(config.auth.longest_token_s, 86400);
    assert_int_equal(config.auth.max_sessions, 100);
    assert_int_equal(config.auth.password_threads, 1);
    assert_int_equal(config.auth.password_queue, 64);
    assert_int_equal(config.auth.clock_leeway_s, 30);
    assert_int_equal(config.lanes.write_lanes, 1);
    assert_int_equal(config.lanes.read_lanes_per_worker, 1);
    assert_int_equal(config.lanes.batch_size, 128);
    assert_int_equal(config.lanes.queue_size, 8192);
    assert_int_equal(config.lanes.request_deadline_s, 10);
    assert_int_equal(config.lanes.copy_deadline_s, 1);
    assert_int_equal(config.cache.size, 67108864);
    assert_int_equal(config.push.heartbeat_s, 15);
    assert_int_equal(config.push.stream_queue, 65536);
    assert_int_equal(config.push.stream_stall_s, 30);
    assert_int_equal(config.push.retry_min_ms, 1000);
    assert_int_equal(config.push.retry_max_ms, 3000);
    assert_int_equal(config.push.max_waiters, 50000);
    assert_int_equal(config.push.max_waiters_per_user, 50);
    assert_int_equal(config.push.presence_timeout_s, 30);
    assert_int_equal(config.push.presence_users, 200000);
    assert_int_equal(config.push.max_watched, 500000);
    assert_int_equal(config.relay.interval_s, 1);
    assert_int_equal(config.relay.batch_size, 500);
    assert_int_equal(config.log.level, PL_LOG_INFO);
    assert_int_equal(config.database_count, 0);
    assert_int_equal(config.issuer_count, 0);
    pl_config_free(&config);
    pl_config_free(&config);
}

static void test_values(void **state)
{
    (void)state;
    pl_config_t config;
    pl_error_t err = {0};
    static const char text[] = "# comment\n"
                               "; comment\n"
                               "\n"
                               "[server]\r\n"
                               "http_port=1234\r\n"
                               "  listen_address  =  ::1  \r\n"
                               "[database a]\n"
                               "dsn = host=/run/pg dbname=a password='x ;y # z'\n"
                               "allow_data_loss_on_crash = true\n"
                               "[log]\n"
                               "level = warn\n"
                               "[database b-2_x]\n"
                               "dsn = postgres://u@h/db?sslmode=require\n"
                               "[issuer main]\n"
                               "issuer = https://login.example.com/\n"
                               "algorithm = EdDSA\n"
                               "public_key_file = /main.pem\n"
                               "allow_admin = true\n"
                               "max_lifetime = 900\n"
                               "audience = chat\n"
                               "[jwt_key 2026-11]\n"
                               "file = /old.key\n"
                               "[issuer second]\n"
                               "issuer = x\n"
                               "audience = y\n"
                               "public_key_file = /k.pem"; /* no newline at the end */
    if (parse(text, &config, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(config.server.http_port, 1234);
    assert_string_equal(config.server.listen_address, "::1");
    assert_int_equal(config.log.level, PL_LOG_WARN);
    assert_int_equal(config.database_count, 2);
    assert_string_equal(config.databases[0].name, "a");
    assert_string_equal(config.databases[0].dsn, "host=/run/pg dbname=a password='x ;y # z'");
    assert_string_equal(config.databases[0].direct_dsn, "");
    assert_true(config.databases[0].allow_data_loss_on_crash);
    assert_string_equal(config.databases[1].name, "b-2_x");
    assert_string_equal(config.databases[1].dsn, "postgres://u@h/db?sslmode=require");
    assert_false(config.databases[1].allow_data_loss_on_crash);
    assert_int_equal(config.issuer_count, 2);
    assert_string_equal(config.issuers[0].name, "main");
    assert_string_equal(config.issuers[0].issuer, "https://login.example.com/");
    assert_string_equal(config.issuers[0].algorithm, "EdDSA");
    assert_string_equal(config.issuers[0].audience, "chat");
    assert_true(config.issuers[0].allow_admin);
    assert_int_equal(config.issuers[0].max_lifetime_s, 900);
    assert_string_equal(config.issuers[1].algorithm, "RS256");
    assert_false(config.issuers[1].allow_admin);
    assert_int_equal(config.issuers[1].max_lifetime_s, 86400);
    assert_int_equal(config.jwt_key_count, 1);
    assert_string_equal(config.jwt_keys[0].name, "2026-11");
    assert_string_equal(config.jwt_keys[0].file, "/old.key");
    assert_ptr_equal(pl_config_find_database(&config, "b-2_x"), &config.databases[1]);
    assert_null(pl_config_find_database(&config, "b"));
    pl_config_free(&config);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message; /* the beginning of the message */
    } cases[] = {
        {"[bogus]\n", "test.ini:1: unknown section [bogus]"},
        {"\n\n[Server]\n", "test.ini:3: unknown section [Server]"},
        {"[]\n", "test.ini:1: unknown section []"},
        {"[server", "test.ini:1: a section's line must end in ]"},
        {"[server] x\n", "test.ini:1: a section's line must end in ]"},
        {"[server ]\n", "test.ini:1: [server] takes no name"},
        {"[server a]\n", "test.ini:1: [server] takes no name"},
        {"[database]\n", "test.ini:1: [database NAME] needs a name"},
        {"[database ]\n", "test.ini:1: [database NAME] needs a name"},
        {"[database a b]\n", "test.ini:1: [database NAME] needs a name"},
        {"[database A]\n", "test.ini:1: [database NAME] needs a name"},
        {"[database abcdefghijklmnopqrstuvwxyz0123456]\n",
         "test.ini:1: [database NAME] needs a name"},
        {"[server]\n[log]\n[server]\n", "test.ini:3: section [server] appears twice"},
        {"[database a]\n[database a]\n", "test.ini:2: section [database a] appears twice"},
        {"http_port = 1\n", "test.ini:1: http_port stands before the first section"},
        {"[server]\nport = 1\n", "test.ini:2: unknown key port in [server]"},
        {"[directory]\nowner_dsn = x\n", "test.ini:2: owner_dsn belongs in parleyctl.ini"},
        {"[database a]\nowner_dsn = x\n", "test.ini:2: owner_dsn belongs in parleyctl.ini"},
        {"[server]\nHTTP_PORT = 1\n", "test.ini:2: unknown key HTTP_PORT in [server]"},
        {"[server]\nhttp_port = 1\n\nhttp_port = 1\n", "test.ini:4: http_port appears twice"},
        {"[server]\nhttp_port\n", "test.ini:2: neither"},
        {"[server]\n= 1\n", "test.ini:2: unknown key"},
        {"[server]\nhttp_port = 0\n", "test.ini:2: http_port needs an integer from 1 to 65535"},
        {"[server]\nhttp_port = 65536\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = \n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = +80\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = 80x\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = 0x50\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = 8.5\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = 80 ; the port\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = -1\n", "test.ini:2: http_port needs an integer"},
        {"[server]\nhttp_port = 99999999999999999999999\n",
         "test.ini:2: http_port needs an integer"},
        {"[server]\n  http_port = 1\n    http_port = 2\n", "test.ini:3: http_port appears twice"},
        {"[database a]\nallow_data_loss_on_crash = yes\n",
         "test.ini:2: allow_data_loss_on_crash needs true or false"},
        {"[log]\nlevel = loud\n", "test.ini:2: level needs one of debug|info|warn|error"},
        {"[log]\nlevel = info|warn\n", "test.ini:2: level needs one of"},
        {"[log]\nlevel =\n", "test.ini:2: level needs one of"},
        {"[issuer a]\nalgorithm = HS256\n", "test.ini:2: algorithm needs one of RS256|ES256|EdDSA"},
        {"[issuer a]\nalgorithm = none\n", "test.ini:2: algorithm needs one of RS256|ES256|EdDSA"},
        {"[issuer a]\nissuer = x\npublic_key_file = k\n",
         "test.ini: [issuer a] needs issuer, public_key_file and audience"},
        {"[jwt_key a]\n[log]\n", "test.ini: [jwt_key a] needs file"},
        {"[auth]\ntoken_lifetime = 61\nrefresh_lifetime = 60\n",
         "test.ini: [auth] refresh_lifetime is below token_lifetime"},
        {"[push]\nretry_min = 5\nretry_max = 4\n", "test.ini: [push] retry_min is above retry_max"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pl_config_t config;
        pl_error_t err = {0};
        if (parse(cases[i].text, &config, &err) != -1)
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(err.code, PL_ERROR_INVALID);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s\n%s\n%s", cases[i].text, cases[i].message, err.message);
        assert_null(config.server.listen_address); /* the caller has nothing to free */
    }
}

static void test_nul_is_refused(void **state)
{
    (void)state;
    pl_config_t config;
    pl_error_t err;
    assert_int_equal(pl_config_parse("t", "[log]\nlevel = info\0", 19, &config, &err), -1);
}

/* inih's own limits are 200 bytes for a line and 50 for a section. Lines within our limits must be
 * read whole. */
static void test_long_lines(void **state)
{
    (void)state;
    for (size_t len = 180; len < 4300; len += len < 220 || (len > 4060 && len < 4120) ? 1 : 97) {
        pl_buffer_t text = PL_BUFFER_EMPTY;
        pl_buffer_append_text(&text, "[database abcdefghijklmnopqrstuvwxyz012345]\ndsn=");
        for (size_t i = 4; i < len; i++)
            pl_buffer_append_char(&text, 'x');
        pl_buffer_append_text(&text, "\ndirect_dsn=y\n");
        pl_config_t config;
        pl_error_t err = {0};
        int result = pl_config_parse("t", text.data, text.len, &config, &err);
        assert_int_equal(result, len <= 4096 ? 0 : -1);
        if (result == 0) {
            assert_int_equal(strlen(config.databases[0].dsn), len - 4);
            assert_string_equal(config.databases[0].direct_dsn, "y");
            assert_string_equal(config.databases[0].name, "abcdefghijklmnopqrstuvwxyz012345");
        } else {
            assert_string_equal(err.message, "t:2: line is longer than 4096 bytes");
        }
        pl_config_free(&config);
        pl_buffer_dispose(&text);
    }
}

static void test_load(void **state)
{
    (void)state;
    pl_config_t config;
    pl_error_t err;
    assert_int_equal(pl_config_load("/nonexistent/parley.ini", &config, &err), -1);
    assert_string_equal(err.message, "/nonexistent/parley.ini: No such file or directory");
    assert_int_equal(pl_config_load("/", &config, &err), -1);
    assert_int_equal(pl_config_load(PL_SOURCE_DIR "/conf/parley.ini", &config, &err), 0);
    /* The example changes no default. */
    pl_config_t defaults;
    assert_int_equal(parse("", &defaults, NULL), 0);
    assert_int_equal(config.database_count, 2);
    assert_int_equal(config.issuer_count, 0);
    assert_memory_equal(&config.push, &defaults.push, sizeof(config.push));
    assert_memory_equal(&config.lanes, &defaults.lanes, sizeof(config.lanes));
    assert_int_equal(pl_config_check_server(&config, &err), 0);
    assert_int_equal(pl_config_check_owner(&config, &err), -1);
    assert_int_equal(pl_config_load_owner(PL_SOURCE_DIR "/conf/parleyctl.ini", &config, &err), 0);
    assert_int_equal(pl_config_check_owner(&config, &err), 0);
    pl_config_free(&defaults);
    pl_config_free(&config);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    pl_buffer_t text = PL_BUFFER_EMPTY;
    size_t n;
    while ((n = fread(pl_buffer_reserve(&text, 4096), 1, 4096, file)) > 0)
        text.len += n;
    fclose(file);
    return pl_buffer_detach(&text, NULL);
}

static void check_example(void (*print)(FILE *out), const char *path, const char *program)
{
    char *printed = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&printed, &len);
    print(out);
    fclose(out);
    char *kept = read_file(path);
    assert_non_null(kept);
    if (strcmp(printed, kept) != 0)
        fail_msg("%s differs from the table: it is what %s --print-options prints", path, program);
    free(kept);
    free(printed);
}

static void test_examples_are_current(void **state)
{
    (void)state;
    check_example(pl_config_print_options, PL_SOURCE_DIR "/conf/parley.ini", "parleyd");
    check_example(pl_config_print_owner_options, PL_SOURCE_DIR "/conf/parleyctl.ini", "parleyctl");
}

/* The example is a valid configuration also without the comment marks of its settings. So every
 * line is checked. */
static void test_example_uncommented(void **state)
{
    (void)state;
    char *text = read_file(PL_SOURCE_DIR "/conf/parley.ini");
    assert_non_null(text);
    for (char *at = text; (at = strstr(at, "\n;")) != NULL; at++)
        at[1] = ' ';
    pl_config_t config;
    pl_error_t err = {0};
    if (parse(text, &config, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(config.issuer_count, 1);
    pl_config_free(&config);
    free(text);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t s = 0; s < pl_option_section_count; s++) {
        const pl_option_section_t *section = &pl_option_sections[s];
        assert_true(section->option_count > 0 && section->option_count <= 64);
        assert_true(section->documentation[0] != '\0');
        for (size_t i = 0; i < section->option_count; i++) {
            const pl_option_t *option = &section->options[i];
            if (strlen(option->documentation) < 10)
                fail_msg("[%s] %s is not documented", section->name, option->key);
            for (const char *line = option->documentation; *line != '\0'; line += *line == '\n') {
                size_t len = strcspn(line, "\n");
                assert_true(len <= 98);
                line += len;
            }
            assert_ptr_equal(pl_option_find(section, option->key), option);
        }
    }
}

static void test_owner_file(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* NULL: it is taken */
    } cases[] = {
        {"", NULL},
        {"[directory]\nowner_dsn=x\n[database a]\nowner_dsn=y\n", NULL},
        {"[server]\n", "o.ini:1: unknown section [server]"},
        {"[issuer a]\n", "o.ini:1: unknown section [issuer a]"},
        {"[database b]\n", "o.ini:1: parley.ini has no section [database b]"},
        {"[directory]\ndsn=x\n", "o.ini:2: dsn belongs in parley.ini"},
        {"[database a]\nallow_data_loss_on_crash=true\n",
         "o.ini:2: allow_data_loss_on_crash belongs in parley.ini"},
        {"[directory]\nowner_dsn=x\n[directory]\n", "o.ini:3: section [directory] appears twice"},
        {"[database a]\nowner_dsn=x\nowner_dsn=y\n",
         "o.ini:3: owner_dsn appears twice in one section"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = cases[i].text;
        pl_config_t config;
        pl_error_t err = {0};
        assert_int_equal(parse("[directory]\ndsn=x\n[database a]\ndsn=x\n", &config, &err), 0);
        int result = pl_config_parse_owner("o.ini", text, strlen(text), &config, &err);
        assert_int_equal(result, cases[i].message == NULL ? 0 : -1);
        if (cases[i].message != NULL)
            assert_string_equal(err.message, cases[i].message);
        assert_string_equal(config.directory.dsn, "x");
        pl_config_free(&config);
    }
}

#define WHOLE "[directory]\ndsn=x\n[auth]\njwt_key_file=k\n[database a]\ndsn=x\ndirect_dsn=x\n"

static void test_checks(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* NULL: the check succeeds */
    } cases[] = {
        {"", "[directory] dsn is not set"},
        {"[directory]\ndsn=x\n", "[auth] jwt_key_file is not set"},
        {"[directory]\ndsn=x\n[auth]\njwt_key_file=k\n", "there is no [database NAME] section"},
        {"[directory]\ndsn=x\n[auth]\njwt_key_file=k\n[database a]\n",
         "[database a] dsn is not set"},
        {"[directory]\ndsn=x\n[auth]\njwt_key_file=k\n[database a]\ndsn=x\n",
         "[database a] direct_dsn is not set"},
        {WHOLE, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pl_config_t config;
        pl_error_t err = {0};
        assert_int_equal(parse(cases[i].text, &config, &err), 0);
        assert_int_equal(pl_config_check_server(&config, &err), cases[i].message == NULL ? 0 : -1);
        if (cases[i].message != NULL)
            assert_string_equal(err.message, cases[i].message);
        pl_config_free(&config);
    }
}

static void test_owner_checks(void **state)
{
    (void)state;
    static const struct {
        const char *text, *owner, *message; /* NULL: the check succeeds */
    } cases[] = {
        {WHOLE, "", "[directory] owner_dsn is not set"},
        {"", "[directory]\nowner_dsn=x\n", "there is no [database NAME] section"},
        {WHOLE, "[directory]\nowner_dsn=x\n", "[database a] owner_dsn is not set"},
        {WHOLE, "[directory]\nowner_dsn=x\n[database a]\nowner_dsn=x\n", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *owner = cases[i].owner;
        pl_config_t config;
        pl_error_t err = {0};
        assert_int_equal(parse(cases[i].text, &config, &err), 0);
        assert_int_equal(pl_config_parse_owner("o.ini", owner, strlen(owner), &config, &err), 0);
        assert_int_equal(pl_config_check_owner(&config, &err), cases[i].message == NULL ? 0 : -1);
        if (cases[i].message != NULL)
            assert_string_equal(err.message, cases[i].message);
        pl_config_free(&config);
    }
}

/* parleyd keeps to loopback unless it is told that the network is trusted. */
static void test_listeners(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_taken;
    } cases[] = {
        {"127.0.0.1", true},        {"127.9.9.9", true},  {"::1", true},
        {"::ffff:127.0.0.1", true}, {"0.0.0.0", false},   {"::", false},
        {"10.0.0.1", false},        {"128.0.0.1", false}, {"localhost", false},
        {"::ffff:10.0.0.1", false},
    };
    static const char *const keys[] = {"listen_address", "admin_address"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t n = 0; n < 4; n++) {
            bool is_trusted = n >= 2;
            char text[400], begin[100];
            pl_config_t config;
            pl_error_t err = {0};
            snprintf(text, sizeof(text), WHOLE "[server]\n%s=%s\ntrusted_network=%s\n", keys[n % 2],
                     cases[i].address, is_trusted ? "true" : "false");
            assert_int_equal(parse(text, &config, &err), 0);
            int expected = cases[i].is_taken || is_trusted ? 0 : -1;
            assert_int_equal(pl_config_check_server(&config, &err), expected);
            snprintf(begin, sizeof(begin), "[server] %s %s is not loopback", keys[n % 2],
                     cases[i].address);
            if (expected != 0) {
                assert_memory_equal(err.message, begin, strlen(begin));
                assert_non_null(strstr(err.message, "trusted_network = true"));
            }
            pl_config_free(&config);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nul_is_refused),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_examples_are_current),
        cmocka_unit_test(test_example_uncommented),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_owner_file),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_owner_checks),
        cmocka_unit_test(test_listeners),
    };
    return RUN_TESTS(tests);
}
