/* Proves: ids contain their parts, the text forms are strict and round-trip at the bounds, new ids
 * never repeat in a process, and the shard of a username is the documented hash. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "testing.h"

#define MAX_TEXT "9223372036854775807"

static int parse(const char *text, int64_t *id_r)
{
    return pl_id_parse(text, strlen(text), id_r);
}

static void test_parts(void **state)
{
    (void)state;
    int64_t id = pl_id_make(7, 123456789, PL_ID_USER, 200);
    assert_int_equal(id, INT64_C(7) << 50 | INT64_C(123456789) << 9 | 200);
    assert_int_equal(pl_id_shard(id), 7);
    assert_false(pl_id_is_group(id));

    id = pl_id_make(PL_SHARDS_MAX - 1, (INT64_C(1) << 41) - 1, PL_ID_GROUP, 255);
    assert_int_equal(id, INT64_MAX);
    assert_int_equal(pl_id_shard(id), PL_SHARDS_MAX - 1);
    assert_true(pl_id_is_group(id));

    assert_int_equal(pl_id_make(0, 0, PL_ID_GROUP, 0), 256);
    assert_true(pl_id_is_group(256));
    assert_false(pl_id_is_group(255));
    assert_int_equal(pl_message_id_timestamp((INT64_C(1700000000000000) << 1) | 1),
                     1700000000000000);
}

static void test_parse_bounds(void **state)
{
    (void)state;
    int64_t id = -5;
    assert_int_equal(parse("1", &id), 0);
    assert_int_equal(id, 1);
    assert_int_equal(parse(MAX_TEXT, &id), 0);
    assert_int_equal(id, INT64_MAX);

    static const char *const bad[] = {
        "",
        "0",
        "00",
        "01",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "1e3",
        "abc",
        "9223372036854775808",
        "9999999999999999999",
        "10000000000000000000",
        "18446744073709551617",
        "99999999999999999999999999999999",
        "\xd9\xa1", /* ARABIC-INDIC DIGIT ONE */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        id = 42;
        assert_int_equal(parse(bad[i], &id), -1);
        assert_int_equal(id, 42);
    }
    assert_int_equal(pl_id_parse("1\0", 2, &id), -1);
    assert_int_equal(pl_id_parse("12", 1, &id), 0); /* the length counts, not a NUL */
    assert_int_equal(id, 1);
}

static void test_decimal(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(pl_decimal_parse("0", 1, 100, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(pl_decimal_parse("100", 3, 100, &value), 0);
    assert_int_equal(pl_decimal_parse("101", 3, 100, &value), -1);
    assert_int_equal(pl_decimal_parse("00", 2, 100, &value), -1);
    assert_int_equal(pl_decimal_parse("", 0, 100, &value), -1);
    assert_int_equal(pl_decimal_parse("-1", 2, 100, &value), -1);
}

static void test_format(void **state)
{
    (void)state;
    char text[PL_ID_TEXT_SIZE];
    assert_int_equal(pl_id_format(text, 0), 1);
    assert_string_equal(text, "0");
    assert_int_equal(pl_id_format(text, INT64_MAX), 19);
    assert_string_equal(text, MAX_TEXT);
    for (int64_t id = 1; id > 0 && id < INT64_MAX / 7; id *= 7) {
        int64_t back;
        size_t len = pl_id_format(text, id);
        assert_int_equal(strlen(text), len);
        assert_int_equal(pl_id_parse(text, len, &back), 0);
        assert_int_equal(back, id);
    }
}

static int parse_conversation(const char *text, int64_t *low, int64_t *high)
{
    return pl_conversation_id_parse(text, strlen(text), low, high);
}

static void test_conversation_id(void **state)
{
    (void)state;
    int64_t low = -1, high = -1;
    assert_int_equal(parse_conversation("1-2", &low, &high), 1);
    assert_int_equal(low, 1);
    assert_int_equal(high, 2);
    assert_int_equal(parse_conversation("5-5", &low, &high), 1);
    assert_int_equal(low, 5);
    assert_int_equal(high, 5);
    /* in the largest user id the kind bit is 0 */
    assert_int_equal(parse_conversation("9223372036854775550-9223372036854775551", &low, &high), 1);
    assert_int_equal(high, INT64_C(9223372036854775551));
    assert_int_equal(parse_conversation("256", &low, &high), 2);
    assert_int_equal(low, 256);
    assert_int_equal(high, 0);

    static const char *const bad[] = {
        "",
        "-",
        "1-",
        "-1",
        "--",
        "1--2",
        "1-2-3",
        "2-1",
        "256-256",
        "01-2",
        "1-02",
        "0-1",
        " 1-2",
        "1 -2",
        "1-2 ",
        "1",       /* a single user id */
        "255",     /* a single user id */
        "1-256",   /* a group in a pair */
        "256-512", /* group and user */
        "1-9223372036854775808",
        "1\xe2\x80\x93"
        "2", /* EN DASH */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        low = 11;
        high = 12;
        assert_int_equal(parse_conversation(bad[i], &low, &high), -1);
        assert_int_equal(low, 11);
        assert_int_equal(high, 12);
    }
}

static void test_conversation_id_format(void **state)
{
    (void)state;
    char text[PL_CONVERSATION_ID_TEXT_SIZE];
    assert_int_equal(pl_conversation_id_format(text, 2, 1), 3);
    assert_string_equal(text, "1-2");
    assert_int_equal(pl_conversation_id_format(text, 1, 2), 3);
    assert_string_equal(text, "1-2");
    assert_int_equal(pl_conversation_id_format(text, 1, 256), 3);
    assert_string_equal(text, "256");
    size_t len = pl_conversation_id_format(text, INT64_C(9223372036854775551),
                                           INT64_C(9223372036854775550));
    assert_int_equal(len, PL_CONVERSATION_ID_TEXT_SIZE - 1);
    assert_string_equal(text, "9223372036854775550-9223372036854775551");
}

static void test_username_shard(void **state)
{
    (void)state;
    /* The hashes are test vectors of FNV's authors; they are folded, then taken modulo the
     * shards. */
    assert_int_equal(pl_username_shard("", 0, 8192), (0xcbf29ce484222325 ^ 0xcbf29ce4) % 8192);
    assert_int_equal(pl_username_shard("a", 1, 8192), (0xaf63dc4c8601ec8c ^ 0xaf63dc4c) % 8192);
    assert_int_equal(pl_username_shard("foobar", 6, 8192),
                     (0x85944171f73967e8 ^ 0x85944171) % 8192);
    assert_int_equal(pl_username_shard("FooBar", 6, 8192), pl_username_shard("foobar", 6, 8192));
    assert_int_equal(pl_username_shard("foobar", 6, 1), 0);

    unsigned counts[16] = {0};
    for (int i = 0; i < 16000; i++) {
        char name[32];
        int len = snprintf(name, sizeof(name), "user-%d", i);
        counts[pl_username_shard(name, (size_t)len, 16)]++;
    }
    for (int i = 0; i < 16; i++)
        assert_in_range(counts[i], 800, 1200);
}

#define THREADS 4
#define PER_THREAD 5000

static void *make_ids(void *arg)
{
    int64_t *ids = arg;
    for (int i = 0; i < PER_THREAD; i++)
        ids[i] = pl_id_next(3, PL_ID_USER);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_next_never_repeats(void **state)
{
    (void)state;
    static int64_t ids[THREADS * PER_THREAD];
    pthread_t threads[THREADS];
    int64_t before_ms = pl_clock_now_us() / 1000 - PL_ID_EPOCH_MS;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids + i * PER_THREAD), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, THREADS * PER_THREAD, sizeof(ids[0]), compare_ids);
    for (int i = 0; i < THREADS * PER_THREAD; i++) {
        assert_true(i == 0 || ids[i - 1] < ids[i]);
        assert_int_equal(pl_id_shard(ids[i]), 3);
        assert_false(pl_id_is_group(ids[i]));
    }
    int64_t first_ms = ids[0] >> PL_ID_TIME_SHIFT & ((INT64_C(1) << 41) - 1);
    assert_true(first_ms >= before_ms);
    assert_true(pl_id_is_group(pl_id_next(0, PL_ID_GROUP)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),           cmocka_unit_test(test_parse_bounds),
        cmocka_unit_test(test_decimal),         cmocka_unit_test(test_format),
        cmocka_unit_test(test_conversation_id), cmocka_unit_test(test_conversation_id_format),
        cmocka_unit_test(test_username_shard),  cmocka_unit_test(test_next_never_repeats),
    };
    return RUN_TESTS(tests);
}
