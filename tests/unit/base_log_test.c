/* Proves: every line is one JSON object whatever its fields contain, levels filter, a long line
 * loses whole fields, and the lines of many threads do not mix. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/log.h"
#include "testing.h"

static int log_pipe[2];

static int set_up(void **state)
{
    (void)state;
    pl_log_set_level(PL_LOG_INFO);
    if (pipe(log_pipe) != 0)
        return -1;
    pl_log_set_fd(log_pipe[1]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pl_log_set_fd(STDERR_FILENO);
    close(log_pipe[0]);
    close(log_pipe[1]);
    return 0;
}

static pl_json_t *read_line(void)
{
    static char line[PL_LOG_LINE_MAX + 1];
    ssize_t len = read(log_pipe[0], line, sizeof(line));
    assert_true(len > 1 && len <= PL_LOG_LINE_MAX);
    assert_int_equal(line[len - 1], '\n');
    assert_null(memchr(line, '\n', (size_t)len - 1));
    pl_json_t *json;
    pl_error_t err;
    if (pl_json_parse(line, (size_t)len, &json, &err) != 0)
        fail_msg("%s: %.*s", err.message, (int)len, line);
    return json;
}

static void assert_text(const pl_json_t *json, const char *key, const char *expected)
{
    const char *text;
    size_t len;
    assert_int_equal(pl_json_get_string(json, key, &text, &len), 1);
    assert_string_equal(text, expected);
}

static void test_fields(void **state)
{
    (void)state;
    pl_error_t err;
    pl_error_set(&err, PL_ERROR_UNAVAILABLE, "refused by \"a\"");
    pl_log_info("lane-connected", PL_S("database", "a\n\"b\""), PL_I("lane", -3),
                PL_ID("user", INT64_MAX), PL_B("first", true), PL_F("ratio", 0.25),
                PL_F("none", NAN), PL_S("nothing", NULL), PL_SN("part", "abcdef", 3), PL_E(&err));
    pl_json_t *json = read_line();
    int64_t number;
    bool truth;
    assert_text(json, "level", "info");
    assert_text(json, "event", "lane-connected");
    assert_text(json, "database", "a\n\"b\"");
    assert_int_equal(pl_json_get_int64(json, "lane", &number), 1);
    assert_int_equal(number, -3);
    assert_text(json, "user", "9223372036854775807");
    assert_int_equal(pl_json_get_bool(json, "first", &truth), 1);
    assert_true(truth);
    assert_int_equal(pl_json_type_of(json, "ratio"), PL_JSON_NUMBER);
    assert_int_equal(pl_json_type_of(json, "none"), PL_JSON_NULL);
    assert_int_equal(pl_json_type_of(json, "nothing"), PL_JSON_NULL);
    assert_text(json, "part", "abc");
    assert_text(json, "error", "unavailable");
    assert_text(json, "detail", "refused by \"a\"");
    const char *time;
    size_t len;
    assert_int_equal(pl_json_get_string(json, "time", &time, &len), 1);
    assert_int_equal(len, strlen("2026-01-31T12:00:00.000000Z"));
    pl_json_free(&json);
}

static void test_levels(void **state)
{
    (void)state;
    pl_log_debug("not-written");
    pl_log_warn("written");
    pl_json_t *json = read_line();
    assert_text(json, "event", "written");
    assert_text(json, "level", "warn");
    pl_json_free(&json);

    pl_log_set_level(PL_LOG_ERROR);
    int evaluated = 0;
    pl_log_warn("not-written", PL_I("n", ++evaluated));
    assert_int_equal(evaluated, 0);
    pl_log_error("written-too");
    json = read_line();
    assert_text(json, "event", "written-too");
    pl_json_free(&json);

    enum pl_log_level level;
    assert_int_equal(pl_log_level_parse("debug", &level), 0);
    assert_int_equal(level, PL_LOG_DEBUG);
    assert_int_equal(pl_log_level_parse("error", &level), 0);
    assert_int_equal(level, PL_LOG_ERROR);
    assert_int_equal(pl_log_level_parse("loud", &level), -1);
    assert_int_equal(pl_log_level_parse("", &level), -1);
}

/* Text from outside may be any bytes. */
static void test_invalid_text(void **state)
{
    (void)state;
    pl_log_info("odd", PL_SN("bytes", "a\xff\xc3(\xed\xa0\x80z", 8), PL_S("fine", "\xc3\xa9"));
    pl_json_t *json = read_line();
    assert_text(json, "bytes",
                "a?"
                "?(???z");
    assert_text(json, "fine", "\xc3\xa9");
    pl_json_free(&json);
}

static void test_long_line(void **state)
{
    (void)state;
    char *text = malloc(100000);
    memset(text, '\\', 100000);
    pl_log_info("long", PL_S("first", "kept"), PL_SN("second", text, 100000),
                PL_S("third", "lost"));
    pl_json_t *json = read_line();
    bool cut;
    assert_text(json, "first", "kept");
    assert_int_equal(pl_json_get_bool(json, "cut", &cut), 1);
    assert_int_equal(pl_json_type_of(json, "second"), PL_JSON_ABSENT);
    assert_int_equal(pl_json_type_of(json, "third"), PL_JSON_ABSENT);
    pl_json_free(&json);
    /* every length around the limit */
    for (size_t len = PL_LOG_LINE_MAX - 150; len < PL_LOG_LINE_MAX + 50; len++) {
        memset(text, 'x', len);
        pl_log_info("long", PL_SN("text", text, len));
        json = read_line();
        assert_true((pl_json_type_of(json, "text") == PL_JSON_ABSENT) ==
                    (pl_json_type_of(json, "cut") == PL_JSON_BOOL));
        pl_json_free(&json);
    }
    free(text);
}

#define THREADS 4
#define LINES 50

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        pl_log_info("from-thread", PL_S("name", arg), PL_I("line", i));
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    char names[THREADS][2] = {"0", "1", "2", "3"};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    FILE *lines = fdopen(dup(log_pipe[0]), "r");
    char line[PL_LOG_LINE_MAX];
    for (int i = 0; i < THREADS * LINES; i++) {
        pl_json_t *json;
        assert_non_null(fgets(line, sizeof(line), lines));
        assert_int_equal(pl_json_parse(line, strlen(line), &json, NULL), 0);
        assert_text(json, "event", "from-thread");
        pl_json_free(&json);
    }
    fclose(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_invalid_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return RUN_TESTS(tests);
}
