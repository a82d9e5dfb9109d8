/* Proves json_text: the value of a top-level member as it was sent, without white space, even if
 * a string contains similar text. */
#include "testing.h"

#include "base/json_text.h"

static void assert_text(const char *body, const char *expected)
{
    pl_buffer_t out = PL_BUFFER_EMPTY;

    assert_int_equal(pl_json_member_text(body, strlen(body), "key", &out),
                     expected != NULL ? 0 : -1);
    if (expected != NULL)
        assert_string_equal(pl_buffer_terminate(&out), expected);
    else
        assert_int_equal(out.len, 0);
    pl_buffer_dispose(&out);
}

static void test_value(void **state)
{
    (void)state;
    assert_text("{\"key\":{}}", "{}");
    assert_text(" { \"key\" : { \"b\" : 1.50 ,\n\t\"a\" : [ 1e3 , -0 , null ] } , \"x\":1 } ",
                "{\"b\":1.50,\"a\":[1e3,-0,null]}");
    assert_text("{\"key\":{\"white space\":\" \\n \\\" } \"}}",
                "{\"white space\":\" \\n \\\" } \"}");
    assert_text("{\"key\":[[],[{}]]}", "[[],[{}]]");
}

static void test_place(void **state)
{
    (void)state;
    assert_text("{\"x\":\"key\",\"y\":{\"key\":{\"a\":1}},\"z\":[\"key\"],\"key\":{\"b\":2}}",
                "{\"b\":2}");
    assert_text("{\"x\":\"\\\"key\\\":{}\",\"key\":{\"c\":3}}", "{\"c\":3}");
    assert_text("{\"x\":\"\\\\\",\"key\":{\"d\":4}}", "{\"d\":4}");
    assert_text("{\"k\\u0065y\":{}}", NULL);
    assert_text("{\"y\":{\"key\":{}}}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_value), cmocka_unit_test(test_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
