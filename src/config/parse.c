/* Reads the INI file with inih. By itself, inih cuts long lines and long section names, does not
 * report a section without keys, and joins indented lines to the line before. So the function
 * read_line() below sees every line first, and refuses lines that inih would change. */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/config.h"
#include "config/options.h"

#define FILE_SIZE_MAX (1024 * 1024)
#define LINE_MAX_LEN 4096
#define NAME_MAX_LEN 32

typedef struct parse {
    const char *file;
    const char *text;
    size_t len;
    size_t at;     /* offset of the next line */
    unsigned line; /* number of the present line, for messages */
    pl_config_t *config;
    const pl_option_section_t *section; /* NULL before the first */
    void *target;                       /* the struct with the section's options */
    uint64_t plain_seen; /* bit n: pl_option_sections[n], which takes no name, was opened */
    uint64_t keys_seen;  /* bit n: the section's option n was set */
    bool is_owner;       /* parleyctl.ini, which adds to the databases of parley.ini */
    bool failed;
    pl_error_t *err;
} parse_t;

static void fail(parse_t *parse, const char *format, ...) PL_PRINTF(2, 3);

static void fail(parse_t *parse, const char *format, ...)
{
    if (parse->failed)
        return; /* report the first error */
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    pl_error_set(parse->err, PL_ERROR_INVALID, "%s:%u: %s", parse->file, parse->line, what);
    parse->failed = true;
}

static bool is_name(const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool is_same_name(const char *known, const char *name, size_t len)
{
    return strlen(known) == len && memcmp(known, name, len) == 0;
}

/* Adds a zeroed element to the databases, keys or issuers; the first member of each is the name.
 * Returns NULL if the name is there already. */
static void *add_named(void **array, size_t *count, size_t size, const char *name, size_t len)
{
    for (size_t i = 0; i < *count; i++) {
        char *const *known = (char *const *)(void *)((char *)*array + i * size);
        if (is_same_name(*known, name, len))
            return NULL;
    }
    *array = pl_reallocarray(*array, *count + 1, size);
    void *element = (char *)*array + *count * size;
    memset(element, 0, size);
    *(char **)element = pl_memdup(name, len);
    ++*count;
    return element;
}

_Static_assert(offsetof(pl_config_database_t, name) == 0, "add_named() relies on it");
_Static_assert(offsetof(pl_config_jwt_key_t, name) == 0, "add_named() relies on it");
_Static_assert(offsetof(pl_config_issuer_t, name) == 0, "add_named() relies on it");

static void *add_section(parse_t *parse, const pl_option_section_t *section, const char *name,
                         size_t len)
{
    pl_config_t *config = parse->config;
    void *array;
    void *element;
    if (strcmp(section->name, "database") == 0) {
        array = config->databases;
        element = add_named(&array, &config->database_count, sizeof(pl_config_database_t), name,
                            len);
        config->databases = array;
    } else if (strcmp(section->name, "jwt_key") == 0) {
        array = config->jwt_keys;
        element = add_named(&array, &config->jwt_key_count, sizeof(pl_config_jwt_key_t), name, len);
        config->jwt_keys = array;
    } else {
        array = config->issuers;
        element = add_named(&array, &config->issuer_count, sizeof(pl_config_issuer_t), name, len);
        config->issuers = array;
    }
    if (element != NULL)
        pl_option_set_defaults(section, element);
    return element;
}

/* The struct for a section [database NAME] of parleyctl.ini. NULL if the name is unknown. */
static void *find_database(const pl_config_t *config, const char *name, size_t len)
{
    for (size_t i = 0; i < config->database_count; i++)
        if (is_same_name(config->databases[i].name, name, len))
            return &config->databases[i];
    return NULL;
}

/* title: the text between the brackets. */
static void open_section(parse_t *parse, const char *title, size_t len)
{
    const char *space = memchr(title, ' ', len);
    size_t kind_len = space != NULL ? (size_t)(space - title) : len;
    const pl_option_section_t *section = pl_option_section_find(title, kind_len);
    if (section == NULL || (parse->is_owner && !pl_option_section_has_owner(section))) {
        fail(parse, "unknown section [%.*s]", (int)len, title);
        return;
    }
    bool is_named = section->example_names[0] != NULL;
    const char *name = space != NULL ? space + 1 : title + len;
    size_t name_len = (size_t)(title + len - name);
    if (is_named && (space == NULL || !is_name(name, name_len))) {
        fail(parse, "[%s NAME] needs a name of 1 to 32 of a-z 0-9 _ -", section->name);
        return;
    }
    if (!is_named && space != NULL) {
        fail(parse, "[%s] takes no name", section->name);
        return;
    }
    uint64_t bit = UINT64_C(1) << (section - pl_option_sections);
    if (is_named && parse->is_owner) {
        parse->target = find_database(parse->config, name, name_len);
        if (parse->target == NULL) {
            fail(parse, "parley.ini has no section [%.*s]", (int)len, title);
            return;
        }
    } else if (is_named) {
        parse->target = add_section(parse, section, name, name_len);
    } else {
        parse->target = parse->plain_seen & bit ? NULL : parse->config;
        parse->plain_seen |= bit;
    }
    if (parse->target == NULL) {
        fail(parse, "section [%.*s] appears twice", (int)len, title);
        return;
    }
    parse->section = section;
    parse->keys_seen = 0;
}

/* Called by inih in place of fgets. Checks the next line and opens its section, if it has one. */
static char *read_line(char *out, int size, void *user)
{
    parse_t *parse = user;
    if (parse->failed || parse->at >= parse->len)
        return NULL;
    const char *line = parse->text + parse->at;
    size_t left = parse->len - parse->at;
    const char *newline = memchr(line, '\n', left);
    size_t len = newline != NULL ? (size_t)(newline - line) : left;
    parse->line++;
    parse->at += len + (newline != NULL);
    if (len > LINE_MAX_LEN || len + 2 > (size_t)size) {
        fail(parse, "line is longer than %d bytes", LINE_MAX_LEN);
        return NULL;
    }
    const char *start = line;
    const char *end = line + len;
    while (start < end && strchr(" \t\r", *start) != NULL)
        start++;
    while (end > start && strchr(" \t\r", end[-1]) != NULL)
        end--;
    if (start < end && *start == '[') {
        if (end[-1] != ']') {
            fail(parse, "a section's line must end in ]");
            return NULL;
        }
        open_section(parse, start + 1, (size_t)(end - start) - 2);
        if (parse->failed)
            return NULL;
    }
    memcpy(out, line, len);
    out[len] = '\n';
    out[len + 1] = '\0';
    return out;
}

/* Called by inih for each key. Returns nonzero for success. */
static int on_value(void *user, const char *section_title, const char *key, const char *value)
{
    (void)section_title; /* inih may have cut it; read_line() has set parse->section */
    parse_t *parse = user;
    if (parse->failed)
        return 0;
    if (parse->section == NULL) {
        fail(parse, "%s stands before the first section", key);
        return 0;
    }
    const pl_option_t *option = pl_option_find(parse->section, key);
    if (option == NULL) {
        fail(parse, "unknown key %s in [%s]", key, parse->section->name);
        return 0;
    }
    if (option->is_owner != parse->is_owner) {
        fail(parse, "%s belongs in %s", key, option->is_owner ? "parleyctl.ini" : "parley.ini");
        return 0;
    }
    uint64_t bit = UINT64_C(1) << (option - parse->section->options);
    if (parse->keys_seen & bit) {
        fail(parse, "%s appears twice in one section", key);
        return 0;
    }
    parse->keys_seen |= bit;
    pl_error_t err;
    if (pl_option_set(option, parse->target, value, &err) < 0) {
        fail(parse, "%s %s", key, err.message);
        return 0;
    }
    return 1;
}

static void set_plain_defaults(pl_config_t *config)
{
    for (size_t i = 0; i < pl_option_section_count; i++)
        if (pl_option_sections[i].example_names[0] == NULL)
            pl_option_set_defaults(&pl_option_sections[i], config);
}

/* Checks that one option alone cannot express. */
static int check_issuers(const char *file, const pl_config_t *config, pl_error_t *err)
{
    for (size_t i = 0; i < config->issuer_count; i++) {
        const pl_config_issuer_t *issuer = &config->issuers[i];
        if (*issuer->issuer == '\0' || *issuer->public_key_file == '\0' ||
            *issuer->audience == '\0') {
            pl_error_set(err, PL_ERROR_INVALID,
                         "%s: [issuer %s] needs issuer, public_key_file and audience", file,
                         issuer->name);
            return -1;
        }
    }
    return 0;
}

static int check_whole(const char *file, const pl_config_t *config, pl_error_t *err)
{
    if (config->auth.refresh_lifetime_s < config->auth.token_lifetime_s) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: [auth] refresh_lifetime is below token_lifetime",
                     file);
        return -1;
    }
    if (config->push.retry_min_ms > config->push.retry_max_ms) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: [push] retry_min is above retry_max", file);
        return -1;
    }
    for (size_t i = 0; i < config->jwt_key_count; i++) {
        if (*config->jwt_keys[i].file == '\0') {
            pl_error_set(err, PL_ERROR_INVALID, "%s: [jwt_key %s] needs file", file,
                         config->jwt_keys[i].name);
            return -1;
        }
    }
    return check_issuers(file, config, err);
}

/* inih's settings are global variables, so only one thread at a time may parse. */
static int run_inih(parse_t *parse)
{
    if (parse->len > 0 && memchr(parse->text, '\0', parse->len) != NULL) {
        pl_error_set(parse->err, PL_ERROR_INVALID, "%s: not a text file", parse->file);
        return -1;
    }
    ini_max_line = LINE_MAX_LEN + 3;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false; /* a DSN's password may hold " ;" */
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
    int line = ini_parse_stream(read_line, parse, on_value, parse);
    if (line != 0 && !parse->failed) {
        parse->line = line > 0 ? (unsigned)line : parse->line;
        fail(parse, "neither [section], key = value nor a comment");
    }
    return parse->failed ? -1 : 0;
}

int pl_config_parse(const char *name, const char *text, size_t len, pl_config_t *config,
                    pl_error_t *err)
{
    memset(config, 0, sizeof(*config));
    set_plain_defaults(config);
    parse_t parse = {.file = name, .text = text, .len = len, .config = config, .err = err};
    if (run_inih(&parse) < 0 || check_whole(name, config, err) < 0) {
        pl_config_free(config);
        return -1;
    }
    return 0;
}

int pl_config_parse_owner(const char *name, const char *text, size_t len, pl_config_t *config,
                          pl_error_t *err)
{
    parse_t parse = {
        .file = name, .text = text, .len = len, .config = config, .is_owner = true, .err = err};
    return run_inih(&parse);
}

typedef int (*parse_fn)(const char *name, const char *text, size_t len, pl_config_t *config,
                        pl_error_t *err);

static int load(const char *path, parse_fn parse, pl_config_t *config, pl_error_t *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        pl_error_set(err, PL_ERROR_INVALID, "%s: %s", path, strerror(errno));
        return -1;
    }
    char *text = pl_malloc(FILE_SIZE_MAX);
    size_t len = fread(text, 1, FILE_SIZE_MAX, file);
    int result = -1;
    if (ferror(file))
        pl_error_set(err, PL_ERROR_INVALID, "%s: %s", path, strerror(errno));
    else if (len == FILE_SIZE_MAX)
        pl_error_set(err, PL_ERROR_INVALID, "%s: larger than a configuration can be", path);
    else
        result = parse(path, text, len, config, err);
    explicit_bzero(text, len); /* DSNs may hold passwords */
    free(text);
    fclose(file);
    return result;
}

int pl_config_load(const char *path, pl_config_t *config, pl_error_t *err)
{
    memset(config, 0, sizeof(*config));
    return load(path, pl_config_parse, config, err);
}

int pl_config_load_owner(const char *path, pl_config_t *config, pl_error_t *err)
{
    return load(path, pl_config_parse_owner, config, err);
}

static void free_named(const char *section_name, void *array, size_t count, size_t size)
{
    const pl_option_section_t *section = pl_option_section_find(section_name, strlen(section_name));
    for (size_t i = 0; i < count; i++) {
        char *element = (char *)array + i * size;
        free(*(char **)(void *)element);
        pl_option_free(section, element);
    }
    free(array);
}

void pl_config_free(pl_config_t *config)
{
    free_named("database", config->databases, config->database_count, sizeof(pl_config_database_t));
    free_named("jwt_key", config->jwt_keys, config->jwt_key_count, sizeof(pl_config_jwt_key_t));
    free_named("issuer", config->issuers, config->issuer_count, sizeof(pl_config_issuer_t));
    for (size_t i = 0; i < pl_option_section_count; i++)
        if (pl_option_sections[i].example_names[0] == NULL)
            pl_option_free(&pl_option_sections[i], config);
    memset(config, 0, sizeof(*config));
}
