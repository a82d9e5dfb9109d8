/* Proves: buffers grow, keep their content and can be detached; memory, error, hash and random do
 * what their headers say. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "testing.h"

static void test_grows(void **state)
{
    (void)state;
    pl_buffer_t buffer = PL_BUFFER_EMPTY;
    for (int i = 0; i < 100000; i++)
        pl_buffer_append_char(&buffer, (char)('a' + i % 26));
    assert_int_equal(buffer.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buffer.data[i], 'a' + i % 26);
    size_t cap = buffer.cap;
    pl_buffer_clear(&buffer);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(buffer.cap, cap);
    pl_buffer_dispose(&buffer);
    assert_null(buffer.data);
    pl_buffer_append_text(&buffer, "again");
    assert_memory_equal(buffer.data, "again", 5);
    pl_buffer_dispose(&buffer);
}

static void test_append_nothing(void **state)
{
    (void)state;
    pl_buffer_t buffer = PL_BUFFER_EMPTY;
    pl_buffer_append(&buffer, NULL, 0);
    assert_null(buffer.data);
    assert_string_equal(pl_buffer_terminate(&buffer), "");
    pl_buffer_dispose(&buffer);
    pl_buffer_dispose(&buffer);
}

static void test_appendf(void **state)
{
    (void)state;
    pl_buffer_t buffer = PL_BUFFER_EMPTY;
    char expected[5000] = "";
    for (int i = 0; i < 40; i++) {
        pl_buffer_appendf(&buffer, "%*d;", i * 5,
                          i); /* shorter and longer than the room that is left */
        sprintf(expected + strlen(expected), "%*d;", i * 5, i);
    }
    assert_string_equal(pl_buffer_terminate(&buffer), expected);
    assert_int_equal(buffer.len, strlen(expected));
    pl_buffer_dispose(&buffer);
}

static void test_detach(void **state)
{
    (void)state;
    pl_buffer_t buffer = PL_BUFFER_EMPTY;
    size_t len;
    pl_buffer_append_text(&buffer, "mine");
    char *text = pl_buffer_detach(&buffer, &len);
    assert_string_equal(text, "mine");
    assert_int_equal(len, 4);
    assert_int_equal(buffer.cap, 0);
    free(text);
    text = pl_buffer_detach(&buffer, NULL);
    assert_string_equal(text, "");
    free(text);
}

static void test_memory(void **state)
{
    (void)state;
    free(pl_malloc(0));
    free(pl_calloc(0, 5));
    free(pl_realloc(NULL, 0));
    char *copy = pl_memdup("a\0b", 3);
    assert_memory_equal(copy, "a\0b\0", 4);
    free(copy);
    copy = pl_memdup(NULL, 0);
    assert_string_equal(copy, "");
    free(copy);
    copy = pl_strdup("text");
    assert_string_equal(copy, "text");
    free(copy);
}

static void test_error(void **state)
{
    (void)state;
    pl_error_t err;
    char longer[500];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    pl_error_set(&err, PL_ERROR_DEADLINE, "after %d s: %s", 3, longer);
    assert_int_equal(err.code, PL_ERROR_DEADLINE);
    assert_string_equal(err.sqlstate, "");
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    assert_memory_equal(err.message, "after 3 s: xxx", 14);
    pl_error_set_sql(&err, "23505", "duplicate");
    assert_int_equal(err.code, PL_ERROR_SQL);
    assert_string_equal(err.sqlstate, "23505");
    pl_error_set_sql(&err, "23505-and-more", "cut");
    assert_string_equal(err.sqlstate, "23505");
    pl_error_set_sql(&err, NULL, "none");
    assert_string_equal(err.sqlstate, "");
    pl_error_clear(&err);
    assert_int_equal(err.code, PL_OK);
    pl_error_set(NULL, PL_ERROR_INTERNAL, "nobody listens");
    pl_error_clear(NULL);
    for (int code = PL_OK; code <= PL_ERROR_INTERNAL; code++)
        assert_string_not_equal(pl_error_code_name((enum pl_error_code)code), "unknown");
}

static void test_hash(void **state)
{
    (void)state;
    assert_true(pl_hash64("", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(pl_hash64("foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(pl_hash64_continue(pl_hash64("foo", 3), "bar", 3) == pl_hash64("foobar", 6));
    assert_true(pl_hash_id(1) != pl_hash_id(2));
    /* neighbouring ids have different low bits, which tables use */
    unsigned used[64] = {0};
    for (int64_t id = 0; id < 64; id++)
        used[pl_hash_id(id << 9) & 63]++;
    for (int i = 0; i < 64; i++)
        assert_true(used[i] < 10);
}

static void test_random(void **state)
{
    (void)state;
    unsigned counts[7] = {0};
    for (int i = 0; i < 70000; i++)
        counts[pl_random_below(7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9000, 11000);
    assert_int_equal(pl_random_below(1), 0);
    for (int i = 0; i < 1000; i++) {
        int64_t value = pl_random_between(-3, 3);
        assert_true(value >= -3 && value <= 3);
    }
    assert_int_equal(pl_random_between(5, 5), 5);
    (void)pl_random_between(INT64_MIN, INT64_MAX);
    assert_true(pl_random_u64() != pl_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),   cmocka_unit_test(test_append_nothing),
        cmocka_unit_test(test_appendf), cmocka_unit_test(test_detach),
        cmocka_unit_test(test_memory),  cmocka_unit_test(test_error),
        cmocka_unit_test(test_hash),    cmocka_unit_test(test_random),
    };
    return RUN_TESTS(tests);
}
