/* parleyd: the Parley server. */
#include <argp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "config/config.h"
#include "daemon/privileges.h"
#include "daemon/process.h"
#include "daemon/start.h"

const char *argp_program_version = "parleyd " PL_VERSION;

typedef struct arguments {
    const char *config_path;
    bool print_options;
} arguments_t;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments_t *arguments = state->input;

    switch (key) {
    case 'c':
        arguments->config_path = value;
        return 0;
    case 'p':
        arguments->print_options = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Read the configuration from FILE (default /etc/parley/parley.ini)",
     0},
    {"print-options", 'p', NULL, 0, "Print an annotated configuration and exit", 0},
    {0},
};

static const struct argp parser = {options, parse_option, NULL, "The Parley messaging server.",
                                   NULL,    NULL,         NULL};

static int fail(const pl_error_t *error)
{
    pl_log_error("start-failed", PL_E(error));
    return EXIT_FAILURE;
}

/* Signals are blocked before any thread starts, so that all threads inherit this and only the main
 * loop receives them. A connection that a client closed shows as a failed write, not as SIGPIPE. */
static void block_signals(sigset_t *stop)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(stop);
    sigaddset(stop, SIGTERM);
    sigaddset(stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, stop, NULL);
}

int main(int argc, char **argv)
{
    arguments_t arguments = {.config_path = "/etc/parley/parley.ini"};
    static pl_config_t config;
    pl_shard_map_t *map;
    pl_error_t error;
    sigset_t stop;

    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.print_options) {
        pl_config_print_options(stdout);
        return EXIT_SUCCESS;
    }
    if (pl_config_load(arguments.config_path, &config, &error) != 0 ||
        pl_config_check_server(&config, &error) != 0)
        return fail(&error);
    pl_log_set_level(config.log.level);
    if (pl_privileges_drop(config.server.user, &error) != 0)
        return fail(&error);
    block_signals(&stop);

    int waited = pl_start_wait(&config, &stop, &map, &error);
    if (waited != 0)
        return waited > 0 ? EXIT_SUCCESS : fail(&error);
    return pl_process_run(&config, map, &stop, &error) == 0 ? EXIT_SUCCESS : fail(&error);
}
