/* Proves: a refresh token keeps its parts as text, and nothing else is taken for one; a token
 * always has the same successor, which takes the salt to compute; and a token is judged by its age:
 * the present one is replaced, the one before has the same successor until that was used and for a
 * minute more, an older one is recognised as reused, and a forged one is never. */
#include "auth/refresh_token.h"

#include <string.h>

#include "testing.h"

#define USER INT64_C(13557505570205184)
#define SESSION INT64_C(1795291200183413)
#define NOW INT64_C(1795300000000000)
#define CHAIN 6

static struct {
    char salt[PL_REFRESH_HEX_SIZE];
    char hash[PL_REFRESH_HEX_SIZE];
    pl_refresh_token_t tokens[CHAIN]; /* by generation */
    int64_t rotations[CHAIN];
} t;

static int make_chain(void **state)
{
    (void)state;
    t.tokens[0] = (pl_refresh_token_t){.user_id = USER, .session_id = SESSION};
    pl_refresh_salt_make(t.salt);
    pl_refresh_secret_make(t.tokens[0].secret);
    for (int i = 1; i < CHAIN; i++)
        if (pl_refresh_token_next(&t.tokens[i - 1], t.salt, &t.tokens[i]) != 0)
            return -1;
    return 0;
}

/* The session in that generation; `used_ago_us` ago the generation's first refresh token was made,
 * and each one before it a day earlier. */
static pl_refresh_state_t state_at(int generation, int64_t used_ago_us)
{
    pl_refresh_token_hash(&t.tokens[generation], t.hash);
    for (int i = 0; i < generation; i++)
        t.rotations[i] = NOW - used_ago_us - i * INT64_C(86400000000);
    return (pl_refresh_state_t){
        .generation = generation,
        .salt = t.salt,
        .current_hash = t.hash,
        .rotations_us = t.rotations,
        .rotations_count = (size_t)generation,
        .now_us = NOW,
    };
}

static enum pl_refresh_use judge(int token, int generation, int64_t used_ago_us)
{
    pl_refresh_state_t state = state_at(generation, used_ago_us);
    return pl_refresh_token_judge(&t.tokens[token], &state);
}

static void test_text(void **state)
{
    (void)state;
    char text[PL_REFRESH_TEXT_SIZE];
    pl_refresh_token_t parsed;

    pl_refresh_token_format(&t.tokens[3], text);
    assert_int_equal(strlen(text), PL_REFRESH_TEXT_SIZE - 1);
    assert_int_equal(pl_refresh_token_parse(text, strlen(text), &parsed), 0);
    assert_int_equal(parsed.user_id, USER);
    assert_int_equal(parsed.session_id, SESSION);
    assert_int_equal(parsed.generation, 3);
    assert_memory_equal(parsed.secret, t.tokens[3].secret, PL_REFRESH_SECRET_BYTES);
}

static void test_other_texts(void **state)
{
    (void)state;
    char text[PL_REFRESH_TEXT_SIZE + 4];
    pl_refresh_token_t parsed;
    const pl_refresh_token_t wrong[] = {
        {.user_id = 0, .session_id = SESSION},
        {.user_id = -USER, .session_id = SESSION},
        {.user_id = USER, .session_id = 0},
        {.user_id = USER, .session_id = SESSION, .generation = -1},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        pl_refresh_token_format(&wrong[i], text);
        assert_int_equal(pl_refresh_token_parse(text, strlen(text), &parsed), -1);
    }
    pl_refresh_token_format(&t.tokens[0], text);
    for (size_t len = 0; len < PL_REFRESH_TEXT_SIZE - 1; len++)
        assert_int_equal(pl_refresh_token_parse(text, len, &parsed), -1);
    strcat(text, "AAAA");
    assert_int_equal(pl_refresh_token_parse(text, strlen(text), &parsed), -1);
    pl_refresh_token_format(&t.tokens[0], text);
    text[10] = '+';
    assert_int_equal(pl_refresh_token_parse(text, strlen(text), &parsed), -1);
}

static void test_successor(void **state)
{
    (void)state;
    /* HMAC-SHA256 with a key of 32 bytes 0x0b over 32 bytes 0x61, computed with Python's hmac. */
    static const char salt[] = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";
    static const unsigned char expected[] = {
        0x8a, 0xd0, 0x71, 0x9e, 0xf3, 0x48, 0xb8, 0xb3, 0xd9, 0xd6, 0x47,
        0xcf, 0x3b, 0x39, 0xd3, 0x3c, 0x06, 0x56, 0x89, 0x22, 0x93, 0xa9,
        0xf3, 0xfc, 0x0e, 0x9e, 0x3e, 0xc6, 0xea, 0xdf, 0xef, 0xb6,
    };
    pl_refresh_token_t token = {.user_id = USER, .session_id = SESSION, .generation = 7};
    pl_refresh_token_t next, again, other;

    memset(token.secret, 0x61, sizeof(token.secret));
    assert_int_equal(pl_refresh_token_next(&token, salt, &next), 0);
    assert_memory_equal(next.secret, expected, sizeof(expected));
    assert_int_equal(next.generation, 8);
    assert_int_equal(next.user_id, USER);
    assert_int_equal(next.session_id, SESSION);
    assert_int_equal(pl_refresh_token_next(&token, salt, &again), 0);
    assert_memory_equal(again.secret, next.secret, sizeof(next.secret));
    assert_int_equal(pl_refresh_token_next(&token, t.salt, &other), 0);
    assert_memory_not_equal(other.secret, next.secret, sizeof(next.secret));
    assert_int_equal(pl_refresh_token_next(&token, "0b", &other), -1);
    assert_int_equal(pl_refresh_token_next(&token, "", &other), -1);
}

static void test_ages(void **state)
{
    (void)state;
    assert_int_equal(judge(0, 0, 0), PL_REFRESH_CURRENT);
    assert_int_equal(judge(4, 4, 0), PL_REFRESH_CURRENT);
    /* The successor was not used, however long ago it was made. */
    assert_int_equal(judge(3, 4, INT64_C(86400000000) * 30), PL_REFRESH_REPEATED);
    /* It was used, when the present one was made. */
    assert_int_equal(judge(2, 4, 0), PL_REFRESH_REPEATED);
    assert_int_equal(judge(2, 4, PL_REFRESH_GRACE_US), PL_REFRESH_REPEATED);
    assert_int_equal(judge(2, 4, PL_REFRESH_GRACE_US + 1), PL_REFRESH_REUSED);
    assert_int_equal(judge(1, 4, 0), PL_REFRESH_REUSED);
    assert_int_equal(judge(0, 5, 0), PL_REFRESH_REUSED);
}

static void test_several_rotations_in_a_minute(void **state)
{
    (void)state;
    pl_refresh_state_t session = state_at(5, 0);

    t.rotations[1] = NOW - 1000000;
    t.rotations[2] = NOW - PL_REFRESH_GRACE_US - 1;
    assert_int_equal(pl_refresh_token_judge(&t.tokens[2], &session), PL_REFRESH_REPEATED);
    assert_int_equal(pl_refresh_token_judge(&t.tokens[1], &session), PL_REFRESH_REUSED);
    /* Of rotations that are not known any more, it is certain that they are long past. */
    session.rotations_count = 1;
    assert_int_equal(pl_refresh_token_judge(&t.tokens[2], &session), PL_REFRESH_REUSED);
}

static void test_forged(void **state)
{
    (void)state;
    pl_refresh_state_t session = state_at(4, 0);
    pl_refresh_token_t forged = t.tokens[4];

    for (int32_t generation = 0; generation <= 6; generation++) {
        if (generation == 4)
            continue;
        forged.generation = generation;
        assert_int_equal(pl_refresh_token_judge(&forged, &session), PL_REFRESH_UNKNOWN);
    }
    forged = t.tokens[4];
    forged.secret[31] ^= 1;
    assert_int_equal(pl_refresh_token_judge(&forged, &session), PL_REFRESH_UNKNOWN);
    session.generation = INT32_MAX;
    forged.generation = 0;
    assert_int_equal(pl_refresh_token_judge(&forged, &session), PL_REFRESH_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_other_texts),
        cmocka_unit_test(test_successor),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_several_rotations_in_a_minute),
        cmocka_unit_test(test_forged),
    };
    return cmocka_run_group_tests(tests, make_chain, NULL);
}
