/* Proves that the page cache answers only for the same query and version, stays within its size,
 * evicts the least recently used page first, and never frees a page that is still being sent. */
#include "core/page_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 65536

static pl_page_key_t key_of(int64_t user_id)
{
    return (pl_page_key_t){.user_id = user_id, .page_size = 20};
}

static void put(pl_page_cache_t *cache, const pl_page_key_t *key, int64_t version, size_t len)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    memset(pl_buffer_reserve(&body, len), (int)('a' + version % 26), len);
    body.len = len;
    pl_cached_page_t *page = pl_cached_page_create(key, version, &body);
    assert_int_equal(body.len, 0);
    pl_page_cache_put(cache, page);
    pl_cached_page_unref(page);
}

static bool has(pl_page_cache_t *cache, const pl_page_key_t *key, int64_t version)
{
    pl_cached_page_t *page = pl_page_cache_get(cache, key, version);

    if (page == NULL)
        return false;
    assert_int_equal(page->version, version);
    assert_memory_equal(&page->key, key, sizeof(*key));
    assert_int_equal(page->data[0], 'a' + version % 26);
    pl_cached_page_unref(page);
    return true;
}

static void test_only_that_version(void **state)
{
    pl_page_cache_t *cache = pl_page_cache_create(SIZE);
    pl_page_key_t key = key_of(1);
    (void)state;

    assert_false(pl_page_cache_has(cache, &key));
    assert_false(has(cache, &key, 7));
    put(cache, &key, 7, 100);
    assert_true(pl_page_cache_has(cache, &key));
    assert_true(has(cache, &key, 7));
    assert_false(has(cache, &key, 6));
    assert_false(has(cache, &key, 8));
    put(cache, &key, 8, 100);
    assert_false(has(cache, &key, 7));
    assert_true(has(cache, &key, 8));
    pl_page_cache_destroy(&cache);
    assert_null(cache);
}

static void test_every_member_of_the_key_counts(void **state)
{
    pl_page_cache_t *cache = pl_page_cache_create(SIZE);
    const pl_page_key_t key = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    (void)state;

    put(cache, &key, 7, 100);
    for (size_t i = 0; i < sizeof(key) / sizeof(int64_t); i++) {
        pl_page_key_t other = key;
        ((int64_t *)&other)[i]++;
        assert_false(pl_page_cache_has(cache, &other));
        assert_false(has(cache, &other, 7));
    }
    assert_true(has(cache, &key, 7));
    pl_page_cache_destroy(&cache);
}

static void test_least_recently_used_is_evicted_first(void **state)
{
    pl_page_cache_t *cache = pl_page_cache_create(SIZE);
    pl_page_key_t first = key_of(1), second = key_of(2);
    size_t kept = 0;
    (void)state;

    put(cache, &first, 1, 4000);
    put(cache, &second, 1, 4000);
    for (int64_t user = 3; user <= 100; user++) {
        pl_page_key_t key = key_of(user);
        put(cache, &key, 1, 4000);
        assert_true(has(cache, &first, 1));
    }
    assert_false(has(cache, &second, 1));
    for (int64_t user = 1; user <= 100; user++) {
        pl_page_key_t key = key_of(user);
        kept += has(cache, &key, 1);
    }
    assert_in_range(kept, 10, SIZE / 4000);
    pl_page_cache_destroy(&cache);
}

static void test_too_large_is_not_kept(void **state)
{
    pl_page_cache_t *cache = pl_page_cache_create(SIZE);
    pl_page_key_t small = key_of(1), large = key_of(2);
    (void)state;

    put(cache, &small, 1, 100);
    put(cache, &large, 1, SIZE / 8);
    assert_false(has(cache, &large, 1));
    assert_true(has(cache, &small, 1));
    /* The page that it replaces is evicted all the same, because it is out of date. */
    put(cache, &small, 2, SIZE);
    assert_false(pl_page_cache_has(cache, &small));
    pl_page_cache_destroy(&cache);
}

static void test_size_zero_keeps_nothing(void **state)
{
    pl_page_cache_t *cache = pl_page_cache_create(0);
    pl_page_key_t key = key_of(1);
    (void)state;

    put(cache, &key, 1, 1);
    assert_false(has(cache, &key, 1));
    pl_page_cache_destroy(&cache);
}

static void test_page_in_use_outlives_its_place(void **state)
{
    pl_page_cache_t *cache = pl_page_cache_create(SIZE);
    pl_page_key_t key = key_of(1);
    (void)state;

    put(cache, &key, 1, 100);
    pl_cached_page_t *replaced = pl_page_cache_get(cache, &key, 1);
    put(cache, &key, 2, 100);
    pl_cached_page_t *left = pl_page_cache_get(cache, &key, 2);
    pl_page_cache_destroy(&cache);
    assert_int_equal(replaced->data[99], 'b');
    assert_int_equal(left->data[99], 'c');
    pl_cached_page_unref(replaced);
    pl_cached_page_unref(left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_that_version),
        cmocka_unit_test(test_every_member_of_the_key_counts),
        cmocka_unit_test(test_least_recently_used_is_evicted_first),
        cmocka_unit_test(test_too_large_is_not_kept),
        cmocka_unit_test(test_size_zero_keeps_nothing),
        cmocka_unit_test(test_page_in_use_outlives_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
