/* Proves: exactly the UTF-8 of RFC 3629 without U+0000 is valid, at every position; lengths and
 * prefixes count code points; usernames follow the API's rules. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "testing.h"

/* Encodes a code point in `length` bytes, also in forms that are overlong or out of range. */
static size_t encode(uint32_t code, int length, char *out)
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (length == 1) {
        out[0] = (char)code;
        return 1;
    }
    for (int i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(marks[length] | code);
    return (size_t)length;
}

static int shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Every code point in every encoding of up to four bytes. */
static void test_every_code_point(void **state)
{
    (void)state;
    static const uint32_t limits[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (int length = 1; length <= 4; length++) {
        for (uint32_t code = 0; code < limits[length]; code++) {
            char text[4];
            size_t len = encode(code, length, text);
            bool expected = code != 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) &&
                            length == shortest(code);
            if (pl_utf8_is_valid(text, len) != expected)
                fail_msg("U+%04X in %d bytes", (unsigned)code, length);
        }
    }
}

/* Compares every sequence of up to three bytes with a second decoder, which is written
 * differently. */
static bool is_valid_by_table(const unsigned char *p, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint32_t code;
        int length;
        if (p[i] < 0x80) {
            code = p[i];
            length = 1;
        } else if (p[i] >> 5 == 6) {
            code = p[i] & 0x1f;
            length = 2;
        } else if (p[i] >> 4 == 14) {
            code = p[i] & 0x0f;
            length = 3;
        } else {
            return false; /* four bytes do not fit in three */
        }
        if (i + (size_t)length > len)
            return false;
        for (int k = 1; k < length; k++) {
            if (p[i + (size_t)k] >> 6 != 2)
                return false;
            code = code << 6 | (p[i + (size_t)k] & 0x3f);
        }
        if (code == 0 || length != shortest(code) || (code >= 0xd800 && code <= 0xdfff))
            return false;
        i += (size_t)length;
    }
    return true;
}

static void test_every_three_bytes(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 1u << 24; n++) {
        unsigned char text[3] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                 (unsigned char)n};
        if (pl_utf8_is_valid((const char *)text, 3) != is_valid_by_table(text, 3))
            fail_msg("%02x %02x %02x", text[0], text[1], text[2]);
    }
}

static void test_invalid_bytes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xe2\x82\x41",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x9f\x98",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xf8\x88\x80\x80\x80",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(pl_utf8_is_valid(bad[i], strlen(bad[i])));
        /* at every position in the eight bytes that are checked together */
        for (size_t before = 0; before < 17; before++) {
            char text[64];
            memset(text, 'x', sizeof(text));
            memcpy(text + before, bad[i], strlen(bad[i]));
            assert_false(pl_utf8_is_valid(text, sizeof(text)));
            assert_false(pl_utf8_is_valid(text, before + strlen(bad[i])));
        }
    }
}

static void test_nul_anywhere(void **state)
{
    (void)state;
    char text[40];
    for (size_t i = 0; i < sizeof(text); i++) {
        memset(text, 1, sizeof(text)); /* with 1 the subtraction's borrow could go wrong */
        assert_true(pl_utf8_is_valid(text, sizeof(text)));
        text[i] = '\0';
        assert_false(pl_utf8_is_valid(text, sizeof(text)));
    }
    assert_true(pl_utf8_is_valid("", 0));
}

static void test_long_text(void **state)
{
    (void)state;
    size_t len = 65535;
    char *text = malloc(len);
    for (size_t i = 0; i < len; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    assert_true(pl_utf8_is_valid(text, len));
    assert_int_equal(pl_utf8_length(text, len), 21845);
    assert_false(pl_utf8_is_valid(text, len - 1));
    free(text);
}

static void test_length_and_prefix(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 + 2 + 3 + 4 + 1 bytes */
    size_t len = strlen(text);
    assert_int_equal(pl_utf8_length(text, len), 5);
    static const size_t bytes[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t n = 0; n < sizeof(bytes) / sizeof(bytes[0]); n++)
        assert_int_equal(pl_utf8_prefix(text, len, n), bytes[n]);
    assert_int_equal(pl_utf8_length("", 0), 0);
    assert_int_equal(pl_utf8_prefix("", 0, 10), 0);
}

static void test_printable(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text = (char)c;
        assert_int_equal(pl_ascii_is_printable(&text, 1), c >= 0x20 && c <= 0x7e);
    }
    assert_true(pl_ascii_is_printable("", 0));
}

static void test_username(void **state)
{
    (void)state;
    char out[PL_USERNAME_SIZE];
    assert_int_equal(pl_username_normalise("Alice.B_2-x", 11, out), 0);
    assert_string_equal(out, "alice.b_2-x");
    char name[66];
    memset(name, 'Q', sizeof(name));
    assert_int_equal(pl_username_normalise(name, 2, out), -1);
    assert_int_equal(pl_username_normalise(name, 3, out), 0);
    assert_int_equal(pl_username_normalise(name, 64, out), 0);
    assert_int_equal(strlen(out), 64);
    assert_int_equal(pl_username_normalise(name, 65, out), -1);
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool expected = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        assert_int_equal(pl_username_normalise(text, 3, out), expected ? 0 : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_every_three_bytes),
        cmocka_unit_test(test_invalid_bytes),    cmocka_unit_test(test_nul_anywhere),
        cmocka_unit_test(test_long_text),        cmocka_unit_test(test_length_and_prefix),
        cmocka_unit_test(test_printable),        cmocka_unit_test(test_username),
    };
    return RUN_TESTS(tests);
}
