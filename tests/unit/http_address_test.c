/* Proves: an IPv4 address is a key of its own, an IPv6 address counts with its network, both forms
 * of one IPv4 address are one key, and what is no address has none. */
#include "http/address.h"

#include <string.h>

#include "testing.h"

static int64_t key_of(const char *text)
{
    return pl_address_key(text, strlen(text));
}

static void test_keys(void **state)
{
    (void)state;
    assert_true(key_of("192.0.2.1") != 0);
    assert_true(key_of("192.0.2.1") != key_of("192.0.2.2"));
    assert_true(key_of("192.0.2.1") == key_of("::ffff:192.0.2.1"));
    assert_true(key_of("2001:db8:1:2::1") != 0);
    assert_true(key_of("2001:db8:1:2::1") == key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_true(key_of("2001:db8:1:2::1") != key_of("2001:db8:1:3::1"));
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    assert_int_equal(key_of(""), 0);
    assert_int_equal(key_of("unknown"), 0);
    assert_int_equal(key_of("192.0.2.1, 192.0.2.2"), 0);
    assert_int_equal(key_of("192.0.2.1:80"), 0);
    assert_int_equal(key_of("2001:0db8:0000:0000:0000:0000:0000:0001:0001:0001:0001:0001"), 0);
    assert_int_equal(pl_address_key("192.0.2.1", 9), key_of("192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_what_is_no_address),
    };
    return RUN_TESTS(tests);
}
