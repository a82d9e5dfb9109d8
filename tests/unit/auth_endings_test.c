/* Proves: a token is refused once its session has ended, alone or with all others, and a session
 * that was kept or began later goes on; a token without a session is refused only when such tokens
 * were ended, by its iat; what is added twice is no news; and an ending is forgotten when no token
 * can need it. */
#include "auth/endings.h"

#include "testing.h"

#define KEEP_S 1000
#define KEEP_ALL_S 5000
#define LEEWAY_S 30
#define S INT64_C(1000000)
#define NOW (INT64_C(1795300000) * S)

static pl_endings_t *endings;

static int start(void **state)
{
    (void)state;
    endings = pl_endings_create(KEEP_S, KEEP_ALL_S, LEEWAY_S);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pl_endings_destroy(&endings);
    assert_null(endings);
    return 0;
}

static enum pl_ended check(int64_t user_id, int64_t session_id, int64_t issued_s)
{
    return pl_endings_check(endings, &(pl_token_claims_t){
                                         .user_id = user_id,
                                         .session_id = session_id,
                                         .issued_s = issued_s,
                                     });
}

static bool end_session(int64_t user_id, int64_t session_id, int64_t ended_us)
{
    return pl_endings_add(endings, &(pl_ending_t){
                                       .user_id = user_id,
                                       .session_id = session_id,
                                       .ended_us = ended_us,
                                   });
}

static bool end_others(int64_t user_id, int64_t kept_id, int64_t ended_us)
{
    return pl_endings_add(endings, &(pl_ending_t){
                                       .user_id = user_id,
                                       .ended_us = ended_us,
                                       .kept_id = kept_id,
                                   });
}

static bool revoke(int64_t user_id, int64_t ended_us)
{
    return pl_endings_add(endings, &(pl_ending_t){
                                       .user_id = user_id,
                                       .ended_us = ended_us,
                                       .tokens_us = ended_us,
                                   });
}

static void test_one_session(void **state)
{
    (void)state;
    assert_int_equal(check(1, 500, NOW / S), PL_ENDED_NOT);
    assert_true(end_session(1, 500, NOW));
    assert_false(end_session(1, 500, NOW + 1));
    assert_int_equal(check(1, 500, NOW / S), PL_ENDED_SESSION);
    assert_int_equal(check(1, 500, NOW / S + 900), PL_ENDED_SESSION);
    assert_int_equal(check(1, 499, NOW / S), PL_ENDED_NOT);
    assert_int_equal(check(1, 501, NOW / S), PL_ENDED_NOT);
    assert_int_equal(check(1, 0, 0), PL_ENDED_NOT);
    assert_int_equal(check(2, 500, NOW / S), PL_ENDED_NOT);
    assert_true(end_session(1, 300, NOW));
    assert_true(end_session(1, 700, NOW));
    assert_true(end_session(1, 400, NOW));
    for (int64_t session = 300; session <= 700; session += 50)
        assert_int_equal(check(1, session, 0),
                         session == 300 || session == 400 || session == 500 || session == 700
                             ? PL_ENDED_SESSION
                             : PL_ENDED_NOT);
}

static void test_all_others(void **state)
{
    (void)state;
    assert_true(end_others(1, NOW - 50, NOW));
    assert_int_equal(check(1, NOW - 100, NOW / S + 900), PL_ENDED_SESSION);
    assert_int_equal(check(1, NOW - 50, 0), PL_ENDED_NOT);
    assert_int_equal(check(1, NOW, 0), PL_ENDED_NOT);
    assert_int_equal(check(1, NOW + 1, 0), PL_ENDED_NOT);
    assert_int_equal(check(1, 0, INT64_MIN), PL_ENDED_NOT);
    /* What is read late and is older says nothing new. */
    assert_false(end_others(1, NOW - 100, NOW - 20));
    assert_int_equal(check(1, NOW - 100, 0), PL_ENDED_SESSION);
    assert_int_equal(check(1, NOW - 50, 0), PL_ENDED_NOT);
    assert_true(end_others(1, NOW + 1, NOW + 10));
    assert_int_equal(check(1, NOW - 50, 0), PL_ENDED_SESSION);
    assert_int_equal(check(1, NOW + 1, 0), PL_ENDED_NOT);
}

static void test_tokens_without_a_session(void **state)
{
    (void)state;
    assert_true(revoke(1, NOW));
    assert_int_equal(check(1, NOW - 1, NOW / S + 900), PL_ENDED_SESSION);
    assert_int_equal(check(1, NOW + 1, 0), PL_ENDED_NOT);
    assert_int_equal(check(1, 0, INT64_MIN), PL_ENDED_SESSION);
    assert_int_equal(check(1, 0, NOW / S), PL_ENDED_SESSION);
    assert_int_equal(check(1, 0, NOW / S + LEEWAY_S), PL_ENDED_SESSION);
    assert_int_equal(check(1, 0, NOW / S + LEEWAY_S + 1), PL_ENDED_NOT);
    assert_int_equal(check(1, 0, INT64_MAX), PL_ENDED_NOT);
    /* A later end of the other sessions leaves such tokens as they are. */
    assert_true(end_others(1, 0, NOW + 100 * S));
    assert_int_equal(check(1, 0, NOW / S + LEEWAY_S + 1), PL_ENDED_NOT);
    assert_int_equal(check(1, 0, NOW / S), PL_ENDED_SESSION);
}

static void test_erased_user(void **state)
{
    (void)state;
    assert_true(pl_endings_add(endings, &(pl_ending_t){
                                            .user_id = 1,
                                            .ended_us = NOW,
                                            .tokens_us = NOW,
                                            .is_erased = true,
                                        }));
    assert_int_equal(check(1, NOW + 5, INT64_MAX), PL_ENDED_USER);
    assert_int_equal(check(1, 0, INT64_MAX), PL_ENDED_USER);
    assert_false(revoke(1, NOW));
    assert_int_equal(check(1, 0, INT64_MAX), PL_ENDED_USER);
}

static void test_forgetting(void **state)
{
    (void)state;
    end_session(1, 500, NOW);
    end_session(1, 600, NOW + S);
    end_session(2, 500, NOW);
    revoke(2, NOW);
    assert_int_equal(pl_endings_users(endings), 2);
    pl_endings_forget(endings, NOW + KEEP_S * S);
    assert_int_equal(check(1, 500, 0), PL_ENDED_SESSION);
    pl_endings_forget(endings, NOW + KEEP_S * S + 1);
    assert_int_equal(check(1, 500, 0), PL_ENDED_NOT);
    assert_int_equal(check(1, 600, 0), PL_ENDED_SESSION);
    assert_int_equal(pl_endings_users(endings), 2);
    pl_endings_forget(endings, NOW + (KEEP_S + 1) * S + 1);
    assert_int_equal(pl_endings_users(endings), 1);
    assert_int_equal(check(2, 500, 0), PL_ENDED_SESSION);
    pl_endings_forget(endings, NOW + KEEP_ALL_S * S + 1);
    assert_int_equal(pl_endings_users(endings), 0);
    assert_int_equal(check(2, 500, 0), PL_ENDED_NOT);
    assert_true(end_session(1, 500, NOW));
    assert_int_equal(check(1, 500, 0), PL_ENDED_SESSION);
}

static void test_many_users(void **state)
{
    (void)state;
    for (int64_t user = 1; user <= 20000; user++)
        assert_true(end_session(user << 9, user, NOW));
    assert_int_equal(pl_endings_users(endings), 20000);
    for (int64_t user = 1; user <= 20000; user++) {
        assert_int_equal(check(user << 9, user, 0), PL_ENDED_SESSION);
        assert_int_equal(check(user << 9, user + 1, 0), PL_ENDED_NOT);
    }
    assert_int_equal(check(20001 << 9, 1, 0), PL_ENDED_NOT);
    pl_endings_forget(endings, NOW + KEEP_S * S + 1);
    assert_int_equal(pl_endings_users(endings), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_session, start, stop),
        cmocka_unit_test_setup_teardown(test_all_others, start, stop),
        cmocka_unit_test_setup_teardown(test_tokens_without_a_session, start, stop),
        cmocka_unit_test_setup_teardown(test_erased_user, start, stop),
        cmocka_unit_test_setup_teardown(test_forgetting, start, stop),
        cmocka_unit_test_setup_teardown(test_many_users, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
