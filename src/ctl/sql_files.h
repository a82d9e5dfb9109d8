/*
 * The SQL that parleyctl applies, read from a directory with the subdirectories
 * migrations/directory, migrations/database, sql and sql/shard.
 */
#ifndef PL_CTL_SQL_FILES_H
#define PL_CTL_SQL_FILES_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "ctl/outcome.h"

/* SHA-256 in lower-case hexadecimal, with the NUL. */
#define PL_CHECKSUM_SIZE 65

typedef struct pl_sql_file {
    int number; /* of a migration; 0 for others */
    char *name; /* without the folder: "0001_messaging.sql" */
    char *text;
    char checksum[PL_CHECKSUM_SIZE];
} pl_sql_file_t;

typedef struct pl_sql_list {
    pl_sql_file_t *files; /* in the order in which they are applied */
    int count;
} pl_sql_list_t;

typedef struct pl_sql_files {
    pl_sql_list_t directory_migrations;
    pl_sql_list_t database_migrations;
    pl_sql_list_t functions;       /* *.sql in sql */
    pl_sql_file_t create_shard;    /* sql/shard/create_shard.sql */
    pl_sql_list_t shard_functions; /* the other *.sql in sql/shard */
    /*
     * Of the functions together with the database migrations. A migration can drop a function, or
     * change a table that it uses; so after every migration all functions are applied again.
     */
    char functions_checksum[PL_CHECKSUM_SIZE];
    char shard_functions_checksum[PL_CHECKSUM_SIZE];
} pl_sql_files_t;

/*
 * Reads all files of a directory. NULL means the installed files or, if there are none, those of
 * the source tree from which parleyctl was built. Returns 0; or -1 with PL_EXIT_FAILED if there are
 * no files, a migration is not named NNNN_name.sql, or a number is missing or appears twice. The
 * caller frees *files in both cases.
 */
int pl_sql_files_load(pl_sql_files_t *files, const char *directory,
                      pl_outcome_t *outcome) PL_MUST_USE;

void pl_sql_files_free(pl_sql_files_t *files);

/*
 * Appends a template's text with {shard}, {lower} and {upper} replaced by the schema's name, the
 * lowest user id of the shard, and one more than its highest (MAXVALUE for the last shard).
 */
void pl_sql_expand(pl_buffer_t *buffer, const char *text, int shard, int shards);

/*
 * Appends COMMENT ON FUNCTION, so that \df+ shows what the function does: the first paragraph of
 * the comment at the file's top. The function has the file's name. Nothing is appended for a file
 * that does not begin with a comment.
 */
void pl_sql_describe(pl_buffer_t *buffer, const char *schema, const pl_sql_file_t *file);

#endif
