/* Proves: the reader accepts every RFC 8259 object that PostgreSQL can store, and refuses
 * everything else. Each refusal in json_read.h has a case here. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_read.h"
#include "base/json_scan.h"
#include "testing.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int parse_bytes(const char *body, size_t len, pl_error_t *err)
{
    pl_json_t *json = NULL;
    /* A copy of the exact size, so that AddressSanitizer finds a read past the end. */
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, body, len);
    int result = pl_json_parse(copy, len, &json, err);
    free(copy);
    assert_true((result == 0) == (json != NULL));
    pl_json_free(&json);
    assert_null(json);
    return result;
}

static void assert_accepted(const char *body)
{
    pl_error_t err = {0};
    if (parse_bytes(body, strlen(body), &err) != 0)
        fail_msg("refused: %s: %s", body, err.message);
}

static void assert_refused_bytes(const char *body, size_t len)
{
    pl_error_t err = {0};
    if (parse_bytes(body, len, &err) != -1)
        fail_msg("accepted: %.*s", (int)len, body);
    assert_int_equal(err.code, PL_ERROR_INVALID);
    assert_true(err.message[0] != '\0');
}

static void assert_refused(const char *body)
{
    assert_refused_bytes(body, strlen(body));
}

static void test_accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}",
        " \t\r\n{ \t\r\n} \t\r\n",
        "{\"a\":1,\"b\":-0,\"c\":1.5,\"d\":1e5,\"e\":1E+5,\"f\":-1.25e-3,\"g\":0}",
        "{\"a\":[],\"b\":{},\"c\":[[],[1,2],{\"x\":null}],\"d\":true,\"e\":false}",
        "{\"\":\"empty key\"}",
        "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\"}",
        "{\"a\":\"\\ud83d\\ude00\"}",        /* a pair */
        "{\"a\":\"\\uDBFF\\uDFFF\"}",        /* U+10FFFF */
        "{\"a\":\"\\ud7ff\\ue000\\uffff\"}", /* around the surrogates */
        "{\"a\":\"\\\\u0000\"}",             /* a backslash, then u0000 */
        "{\"a\":\"\\\\ud800\"}",             /* a backslash, then ud800 */
        "{\"a\":\"\x7f\"}",                  /* DEL is allowed */
        "{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}",
        "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}", /* one key on different levels */
        "{\"a\":1,\"A\":2}",                                     /* keys are case-sensitive */
        "{\"a\":1e999}", /* infinite as a double: allowed in a field that is ignored */
        "{\"a\":123456789012345678901234567890123456789012345678901234567890123}", /* 63 digits */
    };
    for (size_t i = 0; i < LENGTH(good); i++)
        assert_accepted(good[i]);
}

static void test_refuses_top_levels(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      " ",    "[]",   "[{}]", "1",
                                      "\"a\"", "true", "null", "a",    "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < LENGTH(bad); i++)
        assert_refused(bad[i]);
}

static void test_refuses_syntax(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1 2}",
        "{\"a\":1;}",
        "{\"a\":[1,]}",
        "{1:2}",
        "{\"a\":[,]}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}",
        "{\"a\":[1}}",
        "{\"a\":{]}",
        "{\"a\":1]",
        "{\"a",
        "{\"a\":\"",
        "{\"a\":\"b",
        "{\"a\":\"b\\",
        "{\"a\":\"b\\\"}",
        "{\"a\"::1}",
        "{\"a\":/**/1}",
        "{//\n}",
        "{\"a\":1",
        "{\"a\":[",
        "{\"a\":{\"b\":1}",
        "{null:1}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":\v1}",
        "{\"a\":\f1}",
        "\x01{}",
        "{\"a\":\xc2\xa0"
        "1}", /* a no-break space is not white space */
    };
    for (size_t i = 0; i < LENGTH(bad); i++)
        assert_refused(bad[i]);
}

static void test_refuses_literals_and_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "tru",
        "TRUE",
        "True",
        "nul",
        "nulll",
        "NaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "truefalse",
        "01",
        "-01",
        "+1",
        "-",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "1.5.5",
        "0x10",
        "1_0",
        "--1",
        "1e5.5",
        "1,5e",
        "- 1",
        "00",
        "1a",
        "\xd9\xa1",
        "1234567890123456789012345678901234567890123456789012345678901234", /* 64 digits */
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"a\":%s}", bad[i]);
        assert_refused(body);
        snprintf(body, sizeof(body), "{\"a\":%s",
                 bad[i]); /* the same, where the text ends after it */
        assert_refused(body);
    }
}

static void test_refuses_trailing_garbage(void **state)
{
    (void)state;
    assert_refused("{} x");
    assert_refused("{}{}");
    assert_refused("{},");
    assert_refused("{}]");
    assert_refused_bytes("{}\0", 3);
    assert_refused_bytes("{}\0garbage", 10);
}

static void test_refuses_strings(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\\a",
        "\\x41",
        "\\'",
        "\\u",
        "\\u1",
        "\\u12",
        "\\u123",
        "\\u12g4",
        "\\U0041",
        "\\u 041",
        "\\u+041",
        "\\u-001",
        "\\0",
        "\\u0000", /* U+0000 */
        "a\\u0000b",
        "\\\\\\u0000",
        "\\ud800", /* lone high */
        "\\udbff",
        "\\ud800x",
        "\\ud800\\n",
        "\\ud800\\u0041",
        "\\ud800\\ud800",
        "\\ud83d\\ude0",
        "\\ud800\\",
        "\\ud800\\u",
        "\\ud800\\u0000",
        "\\udc00", /* lone low */
        "\\udfff",
        "x\\ude00\\ud83d",
        "\n",
        "\t",
        "\x01",
        "\x1f", /* raw control characters */
        "\xff",
        "\xc3",
        "\xc0\x80",
        "\xed\xa0\x80",
        "\xf5\x80\x80\x80",
        "\xe2\x82", /* not UTF-8 */
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"a\":\"%s\"}", bad[i]);
        assert_refused(body);
        snprintf(body, sizeof(body), "{\"%s\":1}", bad[i]); /* the same string as a key */
        assert_refused(body);
        snprintf(body, sizeof(body), "{\"a\":[{\"b\":\"%s\"}]}", bad[i]);
        assert_refused(body);
    }
    assert_refused_bytes("{\"a\":\"x\0y\"}", 11);
    assert_refused_bytes("{\"a\0\":1}", 8);
}

static void test_refuses_duplicate_keys(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\"a\":1}");
    assert_refused("{\"a\":1,\"b\":2,\"a\":3}");
    assert_refused("{\"a\":1,\"\\u0061\":2}"); /* the same key after unescaping */
    assert_refused("{\"\\u00e9\":1,\"\xc3\xa9\":2}");
    assert_refused("{\"/\":1,\"\\/\":2}");
    assert_refused("{\"\":1,\"\":2}");
    assert_refused("{\"x\":{\"a\":1,\"a\":2}}");
    assert_refused("{\"x\":[1,[{\"a\":1,\"a\":2}]]}");

    /* many keys, which are sorted instead of compared in pairs */
    for (int repeat = 0; repeat < 2; repeat++) {
        pl_buffer_t body = PL_BUFFER_EMPTY;
        pl_buffer_append_text(&body, "{");
        for (int i = 0; i < 5000; i++)
            pl_buffer_appendf(&body, "\"key%d\":%d,", i, i);
        pl_buffer_appendf(&body, "\"%s\":0}", repeat ? "key2500" : "other");
        assert_int_equal(parse_bytes(body.data, body.len, NULL), repeat ? -1 : 0);
        pl_buffer_dispose(&body);
    }
}

/* A text with `depth` levels: the outer object, and depth - 1 more. */
static int parse_nested(size_t depth, const char *open, const char *close)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_append_text(&body, "{\"a\":");
    for (size_t i = 1; i < depth; i++)
        pl_buffer_append_text(&body, open);
    pl_buffer_append_text(&body, "1");
    for (size_t i = 1; i < depth; i++)
        pl_buffer_append_text(&body, close);
    pl_buffer_append_text(&body, "}");
    int result = parse_bytes(body.data, body.len, NULL);
    pl_buffer_dispose(&body);
    return result;
}

static void test_depth(void **state)
{
    (void)state;
    static const struct {
        const char *open, *close;
    } kinds[] = {{"[", "]"}, {"{\"a\":", "}"}};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        assert_int_equal(parse_nested(PL_JSON_DEPTH_MAX, kinds[i].open, kinds[i].close), 0);
        assert_int_equal(parse_nested(PL_JSON_DEPTH_MAX + 1, kinds[i].open, kinds[i].close), -1);
        assert_int_equal(parse_nested(10000, kinds[i].open, kinds[i].close), -1);
        assert_int_equal(parse_nested(200000, kinds[i].open, ""), -1);
    }
    /* nested arrays and objects must close in the right order */
    assert_accepted("{\"a\":[{\"a\":[{\"a\":[]}]}]}");
    assert_refused("{\"a\":[{\"a\":[{\"a\":[]}}]]}");
}

static void test_value_count(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        pl_buffer_t body = PL_BUFFER_EMPTY;
        pl_buffer_append_text(&body, "{\"a\":[0"); /* three values so far */
        for (int i = 3; i < PL_JSON_VALUES_MAX + extra; i++)
            pl_buffer_append_text(&body, ",0");
        pl_buffer_append_text(&body, "]}");
        assert_int_equal(parse_bytes(body.data, body.len, NULL), extra ? -1 : 0);
        pl_buffer_dispose(&body);
    }
}

static void test_long_strings(void **state)
{
    (void)state;
    static const size_t lengths[] = {65534, 65535, 65536};
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        pl_buffer_t body = PL_BUFFER_EMPTY;
        pl_buffer_append_text(&body, "{\"messageContent\":\"");
        for (size_t n = 0; n < lengths[i]; n++)
            pl_buffer_append_text(&body, n % 2 ? "\\u0078" : "x"); /* the longest spelling */
        pl_buffer_append_text(&body, "\"}");
        pl_json_t *json;
        const char *text;
        size_t len;
        assert_int_equal(pl_json_parse(body.data, body.len, &json, NULL), 0);
        pl_buffer_dispose(&body); /* the tree does not point into the body */
        assert_int_equal(pl_json_get_string(json, "messageContent", &text, &len), 1);
        assert_int_equal(len, lengths[i]);
        assert_int_equal(strspn(text, "x"), lengths[i]);
        pl_json_free(&json);
    }
}

static void test_getters(void **state)
{
    (void)state;
    static const char body[] = "{\"s\":\"a\\u20ac\\\\u0000\",\"e\":\"\",\"t\":true,\"f\":false,"
                               "\"n\":null,\"i\":42,\"m\":-9007199254740991,"
                               "\"M\":9007199254740991,\"big\":9007199254740992,\"huge\":1e999,"
                               "\"low\":-1e999,\"half\":0.5,\"exp\":1e3,\"zero\":-0,"
                               "\"a\":[1],\"o\":{\"i\":1}}";
    pl_json_t *json;
    const char *text;
    size_t len;
    bool truth;
    int64_t number;
    assert_int_equal(pl_json_parse(body, sizeof(body) - 1, &json, NULL), 0);

    assert_int_equal(pl_json_get_string(json, "s", &text, &len), 1);
    assert_int_equal(len, 10);
    assert_string_equal(text, "a\xe2\x82\xac\\u0000");
    assert_int_equal(pl_json_get_string(json, "e", &text, &len), 1);
    assert_int_equal(len, 0);
    assert_int_equal(pl_json_get_string(json, "S", &text, &len), 0);
    assert_int_equal(pl_json_get_string(json, "i", &text, &len), -1);
    assert_int_equal(pl_json_get_string(json, "n", &text, &len), -1);

    assert_int_equal(pl_json_get_bool(json, "t", &truth), 1);
    assert_true(truth);
    assert_int_equal(pl_json_get_bool(json, "f", &truth), 1);
    assert_false(truth);
    assert_int_equal(pl_json_get_bool(json, "i", &truth), -1);
    assert_int_equal(pl_json_get_bool(json, "absent", &truth), 0);

    static const struct {
        const char *key;
        int result;
        int64_t value;
    } integers[] = {
        {"i", 1, 42},
        {"m", 1, -9007199254740991},
        {"M", 1, 9007199254740991},
        {"big", -1, 0},
        {"huge", -1, 0},
        {"low", -1, 0},
        {"half", -1, 0},
        {"exp", 1, 1000},
        {"zero", 1, 0},
        {"s", -1, 0},
        {"t", -1, 0},
        {"n", -1, 0},
        {"a", -1, 0},
        {"absent", 0, 0},
    };
    for (size_t i = 0; i < LENGTH(integers); i++) {
        assert_int_equal(pl_json_get_int64(json, integers[i].key, &number), integers[i].result);
        if (integers[i].result == 1)
            assert_int_equal(number, integers[i].value);
    }

    assert_int_equal(pl_json_type_of(json, "absent"), PL_JSON_ABSENT);
    assert_int_equal(pl_json_type_of(json, "n"), PL_JSON_NULL);
    assert_int_equal(pl_json_type_of(json, "t"), PL_JSON_BOOL);
    assert_int_equal(pl_json_type_of(json, "f"), PL_JSON_BOOL);
    assert_int_equal(pl_json_type_of(json, "i"), PL_JSON_NUMBER);
    assert_int_equal(pl_json_type_of(json, "s"), PL_JSON_STRING);
    assert_int_equal(pl_json_type_of(json, "a"), PL_JSON_ARRAY);
    assert_int_equal(pl_json_type_of(json, "o"), PL_JSON_OBJECT);
    pl_json_free(&json);
    pl_json_free(&json);
}

static void test_strings(void **state)
{
    (void)state;
    static const char body[] =
        "{\"none\":[],\"two\":[\"a\",\"\"],\"mixed\":[\"a\",1],\"null\":null,"
        "\"s\":\"a\",\"o\":{\"a\":\"b\"},\"nested\":[[\"a\"]]}";
    const char *texts[2] = {NULL, NULL};
    pl_json_t *json;
    size_t count = 9;
    assert_int_equal(pl_json_parse(body, sizeof(body) - 1, &json, NULL), 0);

    assert_int_equal(pl_json_get_strings(json, "none", texts, 2, &count), 1);
    assert_int_equal(count, 0);
    assert_int_equal(pl_json_get_strings(json, "two", texts, 2, &count), 1);
    assert_int_equal(count, 2);
    assert_string_equal(texts[0], "a");
    assert_string_equal(texts[1], "");
    assert_int_equal(pl_json_get_strings(json, "two", texts, 1, &count), -1);
    assert_int_equal(pl_json_get_strings(json, "absent", texts, 2, &count), 0);
    assert_int_equal(count, 0);
    static const char *const others[] = {"mixed", "null", "s", "o", "nested"};
    for (size_t i = 0; i < LENGTH(others); i++)
        assert_int_equal(pl_json_get_strings(json, others[i], texts, 2, &count), -1);
    pl_json_free(&json);
}

/* Every prefix of a valid body is invalid, and the reader does not read past its end. */
static void test_every_prefix(void **state)
{
    (void)state;
    static const char body[] =
        "{\"a\":[1,-2.5e+3,true,false,null,\"\\ud83d\\ude00\xf0\x9f\x98\x80\"],\"b\":{\"c\":{}}}";
    for (size_t len = 0; len < sizeof(body) - 1; len++)
        assert_refused_bytes(body, len);
    assert_accepted(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses_top_levels),
        cmocka_unit_test(test_refuses_syntax),
        cmocka_unit_test(test_refuses_literals_and_numbers),
        cmocka_unit_test(test_refuses_trailing_garbage),
        cmocka_unit_test(test_refuses_strings),
        cmocka_unit_test(test_refuses_duplicate_keys),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_value_count),
        cmocka_unit_test(test_long_strings),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_every_prefix),
    };
    return RUN_TESTS(tests);
}
