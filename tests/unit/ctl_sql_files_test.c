/* Proves: a template expands to a shard's SQL; the comment at a file's top becomes the function's
 * description; files are numbered and have checksums; the message of an outcome is one line of
 * valid UTF-8, whatever the server's message is. */
#include "ctl/sql_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/outcome.h"
#include "testing.h"

#define ROOT PL_TEST_SCRATCH_DIR "/ctl_sql_files"

static void write_file(const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, ROOT "/%s", name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int make_tree(void **state)
{
    (void)state;
    assert_int_equal(system("rm -rf '" ROOT "' && mkdir -p '" ROOT "/migrations/directory' '" ROOT
                            "/migrations/database' '" ROOT "/sql/shard'"),
                     0);
    write_file("migrations/directory/0001_directory.sql", "SELECT 1;");
    write_file("migrations/database/0002_second.sql", "SELECT 2;");
    write_file("migrations/database/0001_first.sql", "abc");
    write_file("sql/b.sql", "b");
    write_file("sql/a.sql", "a");
    write_file("sql/README.md", "no SQL");
    write_file("sql/shard/create_shard.sql", "CREATE SCHEMA {shard};");
    write_file("sql/shard/a.sql", "a");
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    return system("rm -rf '" ROOT "'");
}

static void expect_expansion(const char *text, int shard, const char *expected)
{
    pl_buffer_t buffer = PL_BUFFER_EMPTY;

    pl_sql_expand(&buffer, text, shard, 16);
    assert_string_equal(pl_buffer_terminate(&buffer), expected);
    pl_buffer_dispose(&buffer);
}

static void tokens_become_the_shards(void **state)
{
    (void)state;
    expect_expansion("{shard}.t FROM ({lower}) TO ({upper}){shard}", 7,
                     "shard_0007.t FROM (7881299347898368) TO (9007199254740992)shard_0007");
    expect_expansion("{lower} {upper}", 15, "16888498602639360 MAXVALUE");
    expect_expansion("{lower}", 0, "0");
    expect_expansion("'{1,2}' {shards} {{shard}} {", 3, "'{1,2}' {shards} {shard_0003} {");
    expect_expansion("", 0, "");
}

static void expect_description(const char *text, const char *expected)
{
    pl_buffer_t buffer = PL_BUFFER_EMPTY;
    char name[] = "add.sql", *copy = strdup(text);
    pl_sql_file_t file = {.name = name, .text = copy};

    pl_sql_describe(&buffer, "shard_0007", &file);
    assert_string_equal(pl_buffer_terminate(&buffer), expected);
    pl_buffer_dispose(&buffer);
    free(copy);
}

static void the_first_paragraph_describes_a_function(void **state)
{
    (void)state;
    expect_description("-- Adds.\n--\n-- n  a number\nCREATE",
                       "\nCOMMENT ON FUNCTION shard_0007.add IS 'Adds.';\n");
    expect_description("-- It's on\n-- two lines.\nCREATE -- x\n",
                       "\nCOMMENT ON FUNCTION shard_0007.add IS 'It''s on two lines.';\n");
    expect_description("-- The end", "\nCOMMENT ON FUNCTION shard_0007.add IS 'The end';\n");
    expect_description("CREATE\n-- later\n", "");
}

static void files_come_in_order_with_checksums(void **state)
{
    pl_sql_files_t files;
    pl_outcome_t outcome = {0};

    (void)state;
    assert_int_equal(pl_sql_files_load(&files, ROOT, &outcome), 0);
    assert_int_equal(files.database_migrations.count, 2);
    assert_string_equal(files.database_migrations.files[0].name, "0001_first.sql");
    assert_int_equal(files.database_migrations.files[1].number, 2);
    /* SHA-256 of "abc", as in FIPS 180-2. */
    assert_string_equal(files.database_migrations.files[0].checksum,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(files.functions.count, 2);
    assert_string_equal(files.functions.files[0].name, "a.sql");
    assert_int_equal(files.shard_functions.count, 1);
    assert_string_equal(files.create_shard.text, "CREATE SCHEMA {shard};");
    pl_sql_files_free(&files);
}

static void load_checksums(char functions[PL_CHECKSUM_SIZE], char shard[PL_CHECKSUM_SIZE])
{
    pl_sql_files_t files;
    pl_outcome_t outcome = {0};

    assert_int_equal(pl_sql_files_load(&files, ROOT, &outcome), 0);
    memcpy(functions, files.functions_checksum, PL_CHECKSUM_SIZE);
    memcpy(shard, files.shard_functions_checksum, PL_CHECKSUM_SIZE);
    pl_sql_files_free(&files);
}

static void a_set_changes_with_its_files_and_with_migrations(void **state)
{
    char functions[2][PL_CHECKSUM_SIZE], shard[2][PL_CHECKSUM_SIZE];

    (void)state;
    load_checksums(functions[0], shard[0]);
    write_file("sql/a.sql", "other");
    load_checksums(functions[1], shard[1]);
    assert_string_not_equal(functions[0], functions[1]);
    assert_string_equal(shard[0], shard[1]);
    write_file("migrations/database/0003_third.sql", "SELECT 3;");
    load_checksums(functions[0], shard[0]);
    assert_string_not_equal(functions[0], functions[1]);
    assert_string_not_equal(shard[0], shard[1]);
    /* create_shard.sql is applied once, so it is not one of the functions. */
    write_file("sql/shard/create_shard.sql", "other");
    load_checksums(functions[1], shard[1]);
    assert_string_equal(shard[0], shard[1]);
}

static void expect_failure(const char *part)
{
    pl_sql_files_t files;
    pl_outcome_t outcome = {0};

    assert_int_equal(pl_sql_files_load(&files, ROOT, &outcome), -1);
    assert_int_equal(outcome.code, PL_EXIT_FAILED);
    assert_non_null(strstr(outcome.message, part));
    pl_sql_files_free(&files);
}

static void wrong_numbers_are_refused(void **state)
{
    (void)state;
    write_file("migrations/database/0004_gap.sql", "SELECT 4;");
    expect_failure("here 0003 is due");
    assert_int_equal(unlink(ROOT "/migrations/database/0004_gap.sql"), 0);
    write_file("migrations/database/0002_twice.sql", "SELECT 4;");
    expect_failure("0002_twice.sql");
    assert_int_equal(unlink(ROOT "/migrations/database/0002_twice.sql"), 0);
    write_file("migrations/database/03_short.sql", "SELECT 4;");
    expect_failure("NNNN_name.sql");
}

static void missing_files_are_named(void **state)
{
    (void)state;
    assert_int_equal(unlink(ROOT "/sql/shard/create_shard.sql"), 0);
    expect_failure("create_shard.sql is missing");
    assert_int_equal(system("rm -r '" ROOT "/sql/shard'"), 0);
    expect_failure("--sql-dir");
}

static void an_outcome_is_one_valid_line(void **state)
{
    pl_outcome_t outcome;
    char text[1100];

    (void)state;
    assert_int_equal(pl_fail(&outcome, PL_EXIT_DRIFT, "one\n\ttwo\n"), -1);
    assert_int_equal(outcome.code, PL_EXIT_DRIFT);
    assert_string_equal(outcome.message, "one  two");
    /* A cut in the middle of a character: 1,022 bytes and a half of it would fit. */
    memset(text, 'x', 1022);
    memcpy(text + 1022, "\xc3\xa4\xc3\xa4", 5);
    pl_fail(&outcome, PL_EXIT_FAILED, "%s", text);
    assert_int_equal(strlen(outcome.message), 1022);
    assert_true(pl_utf8_is_valid(outcome.message, strlen(outcome.message)));
}

static void the_gravest_exit_wins(void **state)
{
    static const enum pl_exit by_gravity[] = {PL_EXIT_OK,          PL_EXIT_PENDING, PL_EXIT_BLOCKED,
                                              PL_EXIT_UNREACHABLE, PL_EXIT_USAGE,   PL_EXIT_DRIFT,
                                              PL_EXIT_FAILED};

    (void)state;
    for (int i = 0; i < PL_EXIT_COUNT; i++) {
        for (int j = 0; j <= i; j++) {
            assert_int_equal(pl_exit_worse(by_gravity[i], by_gravity[j]), by_gravity[i]);
            assert_int_equal(pl_exit_worse(by_gravity[j], by_gravity[i]), by_gravity[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_become_the_shards),
        cmocka_unit_test(the_first_paragraph_describes_a_function),
        cmocka_unit_test_setup_teardown(files_come_in_order_with_checksums, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(a_set_changes_with_its_files_and_with_migrations, make_tree,
                                        remove_tree),
        cmocka_unit_test_setup_teardown(wrong_numbers_are_refused, make_tree, remove_tree),
        cmocka_unit_test_setup_teardown(missing_files_are_named, make_tree, remove_tree),
        cmocka_unit_test(an_outcome_is_one_valid_line),
        cmocka_unit_test(the_gravest_exit_wins),
    };

    return RUN_TESTS(tests);
}
