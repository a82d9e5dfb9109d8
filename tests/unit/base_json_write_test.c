/* Proves: commas are where they must be and nowhere else, every byte is escaped as JSON and SSE
 * need it, and the strict reader reads back everything that is written. */
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "testing.h"

static void assert_written(pl_buffer_t *buffer, const char *expected)
{
    assert_string_equal(pl_buffer_terminate(buffer), expected);
    pl_buffer_dispose(buffer);
}

static void test_structure(void **state)
{
    (void)state;
    pl_buffer_t b = PL_BUFFER_EMPTY;
    pl_json_object_begin(&b);
    pl_json_key(&b, "a");
    pl_json_int64(&b, 1);
    pl_json_key(&b, "b");
    pl_json_array_begin(&b);
    pl_json_array_begin(&b);
    pl_json_array_end(&b);
    pl_json_object_begin(&b);
    pl_json_object_end(&b);
    pl_json_null(&b);
    pl_json_bool(&b, true);
    pl_json_bool(&b, false);
    pl_json_string(&b, "", 0);
    pl_json_text(&b, "x");
    pl_json_text(&b, NULL);
    pl_json_id(&b, 7);
    pl_json_raw(&b, "{\"r\":1}", 7);
    pl_json_array_end(&b);
    pl_json_key(&b, "c");
    pl_json_conversation_id(&b, 9, 4);
    pl_json_object_end(&b);
    assert_written(
        &b,
        "{\"a\":1,\"b\":[[],{},null,true,false,\"\",\"x\",null,\"7\",{\"r\":1}],\"c\":\"4-9\"}");
}

/* A string may end with the bytes of a comma or a colon, and still is a finished value. */
static void test_commas_after_odd_strings(void **state)
{
    (void)state;
    static const char *const texts[] = {"", ",", ":", "[", "{", "\"", "\\", " ", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        pl_buffer_t b = PL_BUFFER_EMPTY;
        pl_json_object_begin(&b);
        pl_json_key(&b, "k");
        pl_json_text(&b, texts[i]);
        pl_json_key(&b, "l");
        pl_json_int64(&b, 2);
        pl_json_object_end(&b);
        pl_json_t *json;
        const char *text;
        size_t len;
        assert_int_equal(pl_json_parse(b.data, b.len, &json, NULL), 0);
        assert_int_equal(pl_json_get_string(json, "k", &text, &len), 1);
        assert_string_equal(text, texts[i]);
        pl_json_free(&json);
        pl_buffer_dispose(&b);
    }
}

static void test_after_a_prefix(void **state)
{
    (void)state;
    pl_buffer_t b = PL_BUFFER_EMPTY;
    pl_buffer_append_text(&b, "id: 5\ndata: ");
    pl_json_object_begin(&b);
    pl_json_object_end(&b);
    assert_written(&b, "id: 5\ndata: {}");
}

static void test_integers(void **state)
{
    (void)state;
    pl_buffer_t b = PL_BUFFER_EMPTY;
    pl_json_array_begin(&b);
    pl_json_int64(&b, 0);
    pl_json_int64(&b, -1);
    pl_json_int64(&b, INT64_MAX);
    pl_json_int64(&b, INT64_MIN);
    pl_json_id(&b, INT64_MAX);
    pl_json_array_end(&b);
    assert_written(&b, "[0,-1,9223372036854775807,-9223372036854775808,\"9223372036854775807\"]");
}

static void test_every_ascii_byte_is_read_back(void **state)
{
    (void)state;
    char all[127];
    for (int c = 1; c < 128; c++)
        all[c - 1] = (char)c;
    pl_buffer_t b = PL_BUFFER_EMPTY;
    pl_json_object_begin(&b);
    pl_json_key(&b, "all");
    pl_json_string(&b, all, sizeof(all));
    pl_json_object_end(&b);
    for (size_t i = 0; i < b.len; i++)
        assert_true(b.data[i] >= 0x20 && b.data[i] != 0x7f); /* no newline can split an SSE line */
    pl_json_t *json;
    const char *text;
    size_t len;
    assert_int_equal(pl_json_parse(b.data, b.len, &json, NULL), 0);
    assert_int_equal(pl_json_get_string(json, "all", &text, &len), 1);
    assert_int_equal(len, sizeof(all));
    assert_memory_equal(text, all, sizeof(all));
    pl_json_free(&json);
    pl_buffer_dispose(&b);
}

static void test_the_length_is_that_of_what_is_written(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char text[] = {'a', (char)c, 'b', (char)c};
        pl_buffer_t b = PL_BUFFER_EMPTY;
        pl_json_string(&b, text, sizeof(text));
        assert_int_equal(pl_json_string_length(text, sizeof(text)), b.len);
        pl_buffer_dispose(&b);
    }
    assert_int_equal(pl_json_string_length("", 0), 2);
}

static void test_escapes(void **state)
{
    (void)state;
    pl_buffer_t b = PL_BUFFER_EMPTY;
    pl_json_string(&b, "a\"b\\c\nd\re\tf\x01g/\0h", 16);
    assert_written(&b, "\"a\\\"b\\\\c\\nd\\re\\tf\\u0001g/\\u0000h\"");
    pl_json_string(&b, "\xf0\x9f\x98\x80\xc3\xa9", 6);
    assert_written(&b, "\"\xf0\x9f\x98\x80\xc3\xa9\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_commas_after_odd_strings),
        cmocka_unit_test(test_after_a_prefix),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_every_ascii_byte_is_read_back),
        cmocka_unit_test(test_the_length_is_that_of_what_is_written),
        cmocka_unit_test(test_escapes),
    };
    return RUN_TESTS(tests);
}
