/* Proves: the table of kinds has exactly the kinds that have a function in sql/shard/, a look-up
 * finds each, and an unknown kind has the properties of a small change. */
#include "store/change_kinds.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "testing.h"

#define FUNCTIONS PL_SOURCE_DIR "/sql/shard"

static void test_every_kind_has_its_function(void **state)
{
    (void)state;
    size_t count;
    const pl_change_traits_t *kinds = pl_change_traits_all(&count);
    char path[4096];

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), FUNCTIONS "/change_%s.sql", kinds[i].name);
        assert_int_equal(access(path, R_OK), 0);
        assert_ptr_equal(pl_change_traits_of(kinds[i].name), &kinds[i]);
    }
}

static void test_every_function_has_its_kind(void **state)
{
    (void)state;
    static const char prefix[] = "change_";
    DIR *folder = opendir(FUNCTIONS);
    char kind[256];
    size_t count, found = 0;

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(kind, sizeof(kind), "%s", entry->d_name + strlen(prefix));
        kind[strlen(kind) - strlen(".sql")] = '\0';
        assert_string_equal(pl_change_traits_of(kind)->name, kind);
        found++;
    }
    closedir(folder);
    pl_change_traits_all(&count);
    assert_int_equal(found, count);
}

static void test_properties(void **state)
{
    (void)state;
    assert_true(pl_change_traits_of("erase_slice")->is_background);
    assert_true(pl_change_traits_of("clear_slice")->is_background);
    assert_false(pl_change_traits_of("group_publish")->is_background);
    assert_int_equal(pl_change_traits_of("clear_slice")->rows, 1000);
    assert_int_equal(pl_change_traits_of("receipt")->rows, 0);
    /* A part of a name is not the name. */
    assert_string_equal(pl_change_traits_of("slice")->name, "");
    assert_false(pl_change_traits_of("kind_of_a_newer_server")->is_background);
    assert_int_equal(pl_change_traits_of("kind_of_a_newer_server")->rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_has_its_function),
        cmocka_unit_test(test_every_function_has_its_kind),
        cmocka_unit_test(test_properties),
    };
    return RUN_TESTS(tests);
}
