/*
 * Reads and numbers migrations and functions, and computes what the ledgers compare.
 */
#include "ctl/sql_files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/id.h"
#include "base/memory.h"
#include "directory/shard_map.h"

#define CREATE_SHARD "create_shard.sql"

/* A migration's name begins with this many digits and an underscore. */
#define NUMBER_DIGITS 4

static void finish_checksum(EVP_MD_CTX *digest, char checksum_r[static PL_CHECKSUM_SIZE])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int length = 0;

    if (EVP_DigestFinal_ex(digest, bytes, &length) != 1 || length * 2 + 1 != PL_CHECKSUM_SIZE)
        abort();
    for (unsigned int i = 0; i < length; i++)
        snprintf(checksum_r + (size_t)i * 2, 3, "%02x", bytes[i]);
    EVP_MD_CTX_free(digest);
}

static EVP_MD_CTX *start_checksum(void)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        abort();
    return digest;
}

static void add_list(EVP_MD_CTX *digest, const pl_sql_list_t *list)
{
    for (int i = 0; i < list->count; i++) {
        const pl_sql_file_t *file = &list->files[i];
        if (EVP_DigestUpdate(digest, file->name, strlen(file->name) + 1) != 1 ||
            EVP_DigestUpdate(digest, file->checksum, sizeof file->checksum) != 1)
            abort();
    }
}

static void checksum_lists(const pl_sql_list_t *a, const pl_sql_list_t *b,
                           char checksum_r[static PL_CHECKSUM_SIZE])
{
    EVP_MD_CTX *digest = start_checksum();

    add_list(digest, a);
    add_list(digest, b);
    finish_checksum(digest, checksum_r);
}

static int read_text(const char *path, pl_sql_file_t *file, pl_outcome_t *outcome)
{
    pl_buffer_t buffer = PL_BUFFER_EMPTY;
    FILE *stream = fopen(path, "re");
    size_t length;

    if (stream == NULL)
        return pl_fail(outcome, PL_EXIT_FAILED, "%s: %s", path, strerror(errno));
    do {
        length = fread(pl_buffer_reserve(&buffer, BUFSIZ), 1, BUFSIZ, stream);
        buffer.len += length;
    } while (length > 0);
    bool is_read = !ferror(stream);
    fclose(stream);
    if (!is_read || memchr(pl_buffer_terminate(&buffer), '\0', buffer.len) != NULL) {
        pl_buffer_dispose(&buffer);
        return pl_fail(outcome, PL_EXIT_FAILED, "%s: cannot be read as text", path);
    }
    EVP_MD_CTX *digest = start_checksum();
    if (EVP_DigestUpdate(digest, buffer.data, buffer.len) != 1)
        abort();
    finish_checksum(digest, file->checksum);
    file->text = pl_buffer_detach(&buffer, NULL);
    return 0;
}

static int is_sql(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".sql") == 0;
}

/* Unlike alphasort(), the same in every locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(pl_sql_list_t *list, const char *directory, const char *folder,
                       pl_outcome_t *outcome)
{
    char path[4096];
    struct dirent **entries;
    int rc = 0;

    snprintf(path, sizeof path, "%s/%s", directory, folder);
    int count = scandir(path, &entries, is_sql, compare_entries);
    if (count < 0) {
        return pl_fail(outcome, PL_EXIT_FAILED,
                       "%s: %s (--sql-dir names the directory that has"
                       " migrations/ and sql/)",
                       path, strerror(errno));
    }
    list->files = pl_calloc((size_t)count + 1, sizeof *list->files);
    for (int i = 0; i < count; i++) {
        if (rc == 0) {
            pl_sql_file_t *file = &list->files[list->count++];
            file->name = pl_strdup(entries[i]->d_name);
            snprintf(path, sizeof path, "%s/%s/%s", directory, folder, file->name);
            rc = read_text(path, file, outcome);
        }
        free(entries[i]);
    }
    free(entries);
    if (rc == 0 && list->count == 0)
        rc = pl_fail(outcome, PL_EXIT_FAILED, "%s/%s has no .sql file", directory, folder);
    return rc;
}

static int parse_number(const char *name)
{
    for (int i = 0; i < NUMBER_DIGITS; i++)
        if (!isdigit((unsigned char)name[i]))
            return -1;
    return name[NUMBER_DIGITS] == '_' ? atoi(name) : -1;
}

static int read_migrations(pl_sql_list_t *list, const char *directory, const char *folder,
                           pl_outcome_t *outcome)
{
    if (read_folder(list, directory, folder, outcome) < 0)
        return -1;
    for (int i = 0; i < list->count; i++) {
        pl_sql_file_t *file = &list->files[i];
        file->number = parse_number(file->name);
        if (file->number != i + 1) {
            return pl_fail(outcome, PL_EXIT_FAILED,
                           "%s/%s/%s: a migration is called NNNN_name.sql, numbered from 0001"
                           " without gaps; here %04d is due",
                           directory, folder, file->name, i + 1);
        }
    }
    return 0;
}

/* Takes create_shard.sql, which is applied once, out of the list of what is applied again. */
static int split_create_shard(pl_sql_files_t *files, const char *directory, pl_outcome_t *outcome)
{
    pl_sql_list_t *list = &files->shard_functions;

    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->files[i].name, CREATE_SHARD) == 0) {
            files->create_shard = list->files[i];
            list->count--;
            memmove(&list->files[i], &list->files[i + 1],
                    (size_t)(list->count - i) * sizeof *list->files);
            return 0;
        }
    }
    return pl_fail(outcome, PL_EXIT_FAILED, "%s/sql/shard/" CREATE_SHARD " is missing", directory);
}

static const char *find_directory(void)
{
    struct stat status;

    return stat(PL_INSTALL_DATA_DIR "/migrations", &status) == 0 ? PL_INSTALL_DATA_DIR
                                                                 : PL_SOURCE_DIR;
}

int pl_sql_files_load(pl_sql_files_t *files, const char *directory, pl_outcome_t *outcome)
{
    memset(files, 0, sizeof *files);
    if (directory == NULL)
        directory = find_directory();
    if (read_migrations(&files->directory_migrations, directory, "migrations/directory", outcome) <
            0 ||
        read_migrations(&files->database_migrations, directory, "migrations/database", outcome) <
            0 ||
        read_folder(&files->functions, directory, "sql", outcome) < 0 ||
        read_folder(&files->shard_functions, directory, "sql/shard", outcome) < 0 ||
        split_create_shard(files, directory, outcome) < 0)
        return -1;
    checksum_lists(&files->database_migrations, &files->functions, files->functions_checksum);
    checksum_lists(&files->database_migrations, &files->shard_functions,
                   files->shard_functions_checksum);
    return 0;
}

static void free_file(pl_sql_file_t *file)
{
    free(file->name);
    free(file->text);
}

static void free_list(pl_sql_list_t *list)
{
    for (int i = 0; i < list->count; i++)
        free_file(&list->files[i]);
    free(list->files);
}

void pl_sql_files_free(pl_sql_files_t *files)
{
    free_list(&files->directory_migrations);
    free_list(&files->database_migrations);
    free_list(&files->functions);
    free_list(&files->shard_functions);
    free_file(&files->create_shard);
    memset(files, 0, sizeof *files);
}

void pl_sql_expand(pl_buffer_t *buffer, const char *text, int shard, int shards)
{
    static const char *const tokens[] = {"{shard}", "{lower}", "{upper}"};
    char schema[PL_SHARD_SCHEMA_SIZE], lower[24], upper[24];
    const char *const values[] = {schema, lower, upper};

    pl_shard_schema_format(schema, shard);
    snprintf(lower, sizeof lower, "%" PRId64, (int64_t)shard << PL_ID_SHARD_SHIFT);
    if (shard == shards - 1)
        snprintf(upper, sizeof upper, "MAXVALUE");
    else
        snprintf(upper, sizeof upper, "%" PRId64, (int64_t)(shard + 1) << PL_ID_SHARD_SHIFT);
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        pl_buffer_append(buffer, text, plain);
        text += plain;
        size_t i = 0;
        while (i < sizeof tokens / sizeof tokens[0] &&
               strncmp(text, tokens[i], strlen(tokens[i])) != 0)
            i++;
        if (i < sizeof tokens / sizeof tokens[0]) {
            pl_buffer_append_text(buffer, values[i]);
            text += strlen(tokens[i]);
        } else if (*text != '\0') {
            pl_buffer_append_char(buffer, *text++);
        }
    }
}

#define COMMENT_MARK "-- "

void pl_sql_describe(pl_buffer_t *buffer, const char *schema, const pl_sql_file_t *file)
{
    const char *line = file->text;
    int name_length = (int)strlen(file->name) - (int)strlen(".sql");
    bool is_first = true;

    if (strncmp(line, COMMENT_MARK, strlen(COMMENT_MARK)) != 0)
        return;
    pl_buffer_appendf(buffer, "\nCOMMENT ON FUNCTION %s.%.*s IS '", schema, name_length,
                      file->name);
    while (strncmp(line, COMMENT_MARK, strlen(COMMENT_MARK)) == 0) {
        if (!is_first)
            pl_buffer_append_char(buffer, ' ');
        is_first = false;
        line += strlen(COMMENT_MARK);
        for (; *line != '\0' && *line != '\n'; line++) {
            if (*line == '\'')
                pl_buffer_append_char(buffer, '\'');
            pl_buffer_append_char(buffer, *line);
        }
        line += *line == '\n';
    }
    pl_buffer_append_text(buffer, "';\n");
}
