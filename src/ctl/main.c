/*
 * parleyctl: parses the command line, loads the configuration, runs one command.
 */
#include <argp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/outcome.h"
#include "ctl/report.h"
#include "directory/shard_map.h"

#define CONFIG_DEFAULT "/etc/parley/parley.ini"
#define OWNER_CONFIG_NAME "parleyctl.ini"
#define SHARDS_DEFAULT 16

/* Longer than another parleyctl needs for a small system, and short enough for a deployment
 * pipeline. */
#define WAIT_DEFAULT_S 30
#define WAIT_MAX_S 86400

#define JOBS_DEFAULT 8
#define JOBS_MAX 256

/* These options have no short form: their keys are not characters. */
enum {
    KEY_JSON = 256,
    KEY_SHARDS,
    KEY_DATABASES,
    KEY_SQL_DIR,
    KEY_WAIT,
    KEY_JOBS,
    KEY_UNREAD,
    KEY_REPAIR,
    KEY_PRINT_OPTIONS
};

typedef struct arguments {
    const char *config_path;
    const char *owner_config_path; /* NULL: OWNER_CONFIG_NAME beside the other */
    const pl_command_t *command;
    pl_ctl_t ctl;
} arguments_t;

const char *argp_program_version = "parleyctl " PL_VERSION;

#define COMMON_OPTIONS                                                                   \
    {"config", 'c', "FILE", 0, "Configuration file (default " CONFIG_DEFAULT ")", 1},    \
        {"owner-config",                                                                 \
         'o',                                                                            \
         "FILE",                                                                         \
         0,                                                                              \
         "File with the owner's DSNs (default: " OWNER_CONFIG_NAME " beside the other)", \
         1},                                                                             \
    {                                                                                    \
        "json", KEY_JSON, NULL, 0, "Print one JSON object instead of text", 1            \
    }

static const struct argp_option common_options[] = {COMMON_OPTIONS, {0}};

static const struct argp_option top_options[] = {
    COMMON_OPTIONS,
    {"print-options", KEY_PRINT_OPTIONS, NULL, 0,
     "Print an annotated " OWNER_CONFIG_NAME " and exit", 1},
    {0},
};

static const struct {
    enum pl_command_option option;
    struct argp_option argp;
} command_options[] = {
    {PL_COMMAND_SHARDS,
     {"shards", KEY_SHARDS, "N", 0, "Number of shards, 1 to 8192 (default 16)", 0}},
    {PL_COMMAND_DATABASES,
     {"databases", KEY_DATABASES, "NAME,...", 0,
      "Databases that hold the shards (default: all of the configuration)", 0}},
    {PL_COMMAND_SQL_DIR,
     {"sql-dir", KEY_SQL_DIR, "DIR", 0,
      "Directory with migrations/ and sql/ (default: the one that came with parleyctl)", 0}},
    {PL_COMMAND_WAIT,
     {"wait", KEY_WAIT, "SECONDS", 0, "How long to wait for locks (default 30)", 0}},
    {PL_COMMAND_JOBS,
     {"jobs", KEY_JOBS, "N", 0, "How many databases to work on in parallel (default 8)", 0}},
    {PL_COMMAND_UNREAD,
     {"unread", KEY_UNREAD, NULL, 0, "Also recount the unread messages of every conversation", 0}},
    {PL_COMMAND_UNREAD,
     {"repair", KEY_REPAIR, NULL, 0, "With --unread: repair the counts that are wrong", 0}},
};

#define COMMAND_OPTION_COUNT (sizeof command_options / sizeof command_options[0])

static int parse_number(struct argp_state *state, const char *name, const char *text, int min,
                        int max)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < min || value > max)
        argp_error(state, "--%s: '%s' is not a number from %d to %d", name, text, min, max);
    return (int)value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    arguments_t *arguments = state->input;
    pl_ctl_t *ctl = &arguments->ctl;

    switch (key) {
    case 'c':
        arguments->config_path = arg;
        return 0;
    case 'o':
        arguments->owner_config_path = arg;
        return 0;
    case KEY_PRINT_OPTIONS:
        pl_config_print_owner_options(stdout);
        exit(PL_EXIT_OK);
    case KEY_JSON:
        ctl->is_json = true;
        return 0;
    case KEY_SHARDS:
        ctl->shards = parse_number(state, "shards", arg, 1, PL_SHARDS_MAX);
        return 0;
    case KEY_DATABASES:
        ctl->databases = arg;
        return 0;
    case KEY_SQL_DIR:
        ctl->sql_directory = arg;
        return 0;
    case KEY_WAIT:
        ctl->wait_s = parse_number(state, "wait", arg, 0, WAIT_MAX_S);
        return 0;
    case KEY_JOBS:
        ctl->jobs = parse_number(state, "jobs", arg, 1, JOBS_MAX);
        return 0;
    case KEY_UNREAD:
        ctl->checks_unread = true;
        return 0;
    case KEY_REPAIR:
        ctl->repairs_unread = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Removes argp's note on the arguments of long options; the list of options shows them already. */
static char *filter_help(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)(uintptr_t)text;
}

static void describe_exits(pl_buffer_t *text, unsigned exits)
{
    pl_buffer_append_text(text, "\vExit codes:\n");
    for (int code = 0; code < PL_EXIT_COUNT; code++) {
        if ((exits & 1U << code) != 0) {
            pl_buffer_appendf(text, "  %d  %-12s %s\n", code, pl_exit_name((enum pl_exit)code),
                              pl_exit_description((enum pl_exit)code));
        }
    }
}

static void parse_command(const pl_command_t *command, int argc, char **argv,
                          arguments_t *arguments)
{
    struct argp_option
        options[COMMAND_OPTION_COUNT + sizeof common_options / sizeof common_options[0]];
    size_t count = 0;
    pl_buffer_t doc = PL_BUFFER_EMPTY;
    pl_buffer_t name = PL_BUFFER_EMPTY;

    for (size_t i = 0; i < COMMAND_OPTION_COUNT; i++)
        if ((command->options & command_options[i].option) != 0)
            options[count++] = command_options[i].argp;
    memcpy(&options[count], common_options, sizeof common_options);
    pl_buffer_appendf(&doc, "%s.\n\n%s", command->summary, command->details);
    describe_exits(&doc, command->exits);
    pl_buffer_appendf(&name, "parleyctl %s", command->name);
    argv[0] = pl_buffer_terminate(&name);
    struct argp argp = {.options = options,
                        .parser = parse_option,
                        .doc = pl_buffer_terminate(&doc),
                        .help_filter = filter_help};
    argp_parse(&argp, argc, argv, 0, NULL, arguments);
    pl_buffer_dispose(&doc);
    pl_buffer_dispose(&name);
}

/* Returns how many of the words are the command's name; 0 if they are another name. */
static int match(const pl_command_t *command, int count, char **words)
{
    const char *rest = command->name;
    int matched = 0;

    while (matched < count) {
        size_t length = strlen(words[matched]);
        if (strncmp(rest, words[matched], length) != 0 ||
            (rest[length] != ' ' && rest[length] != '\0'))
            return 0;
        matched++;
        if (rest[length] == '\0')
            return matched;
        rest += length + 1;
    }
    return 0;
}

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
    arguments_t *arguments = state->input;

    if (key == ARGP_KEY_NO_ARGS)
        argp_usage(state);
    if (key != ARGP_KEY_ARG)
        return parse_option(key, arg, state);
    char **words = &state->argv[state->next - 1];
    int count = state->argc - state->next + 1;
    for (const pl_command_t *command = pl_commands; command->name != NULL; command++) {
        int matched = match(command, count, words);
        if (matched > 0) {
            arguments->command = command;
            arguments->ctl.command = command->name;
            /* The command's parser expects a program name first; it replaces the last word of the
             * command's name. */
            parse_command(command, count - matched + 1, words + matched - 1, arguments);
            state->next = state->argc;
            return 0;
        }
    }
    argp_error(state, "no command '%s%s%s'", arg, count > 1 ? " " : "", count > 1 ? words[1] : "");
    return EINVAL;
}

static void parse_arguments(int argc, char **argv, arguments_t *arguments)
{
    pl_buffer_t doc = PL_BUFFER_EMPTY;

    pl_buffer_append_text(&doc, "Sets up, migrates and checks a Parley system.\vCommands:\n");
    for (const pl_command_t *command = pl_commands; command->name != NULL; command++)
        pl_buffer_appendf(&doc, "  %-16s %s\n", command->name, command->summary);
    pl_buffer_append_text(&doc,
                          "\nparleyctl COMMAND --help has a command's options and exit codes.");
    struct argp argp = {
        top_options, parse_top, "COMMAND [OPTION...]", pl_buffer_terminate(&doc), NULL, NULL, NULL};
    argp_err_exit_status = PL_EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, arguments);
    pl_buffer_dispose(&doc);
}

static int load_owner(const arguments_t *arguments, pl_config_t *config, pl_error_t *error)
{
    pl_buffer_t path = PL_BUFFER_EMPTY;
    const char *slash = strrchr(arguments->config_path, '/');

    if (arguments->owner_config_path != NULL)
        return pl_config_load_owner(arguments->owner_config_path, config, error);
    if (slash != NULL)
        pl_buffer_append(&path, arguments->config_path,
                         (size_t)(slash - arguments->config_path) + 1);
    pl_buffer_append_text(&path, OWNER_CONFIG_NAME);
    int result = pl_config_load_owner(pl_buffer_terminate(&path), config, error);
    pl_buffer_dispose(&path);
    return result;
}

int main(int argc, char **argv)
{
    arguments_t arguments = {
        .config_path = CONFIG_DEFAULT,
        .ctl = {.shards = SHARDS_DEFAULT, .wait_s = WAIT_DEFAULT_S, .jobs = JOBS_DEFAULT},
    };
    pl_ctl_t *ctl = &arguments.ctl;
    pl_error_t error = {0};
    int code;

    parse_arguments(argc, argv, &arguments);
    /* A lost connection is an error value, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    if (pl_config_load(arguments.config_path, &ctl->config, &error) < 0 ||
        load_owner(&arguments, &ctl->config, &error) < 0) {
        pl_outcome_t outcome;
        pl_report_t report;
        pl_fail(&outcome, PL_EXIT_USAGE, "%s", error.message);
        pl_report_open(&report, ctl);
        pl_config_free(&ctl->config);
        return (int)pl_report_close(&report, &outcome);
    }
    code = arguments.command->run(ctl);
    pl_config_free(&ctl->config);
    return code;
}
