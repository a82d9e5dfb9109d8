/* parley-load: sends requests to parleyd and measures it. See bench/README.md. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "load/conn.h"
#include "load/options.h"
#include "load/result.h"
#include "load/stop.h"
#include "load/worker.h"

static void on_signal(int number)
{
    (void)number;
    pl_load_stop();
}

static void prepare_process(void)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct rlimit files;

    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0)
        pl_load_die("sigaction: %s", strerror(errno));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void prepare(pl_load_shared_t *shared, const pl_load_options_t *options)
{
    pl_error_t error;

    *shared = (pl_load_shared_t){.options = options};
    if (pl_load_users_read(&shared->users, options->users_file, options->authority, &error) != 0)
        pl_load_die("%s", error.message);
    if (shared->users.count <= options->peers)
        pl_load_die("there must be more users than peers");
    if (options->kind == PL_LOAD_PUSH && shared->users.count < 2 * options->receivers)
        pl_load_die("there must be twice as many users as receivers");
    pthread_barrier_init(&shared->opened, NULL, options->threads + 1);
    pthread_barrier_init(&shared->go, NULL, options->threads + 1);
}

static void dispose(pl_load_shared_t *shared)
{
    pl_load_users_dispose(&shared->users);
    pthread_barrier_destroy(&shared->opened);
    pthread_barrier_destroy(&shared->go);
}

static pl_load_worker_t *start_workers(pl_load_shared_t *shared)
{
    pl_load_worker_t *workers = pl_calloc(shared->options->threads, sizeof(*workers));

    for (uint32_t i = 0; i < shared->options->threads; i++) {
        workers[i].shared = shared;
        workers[i].number = i;
        if (pthread_create(&workers[i].thread, NULL, pl_load_worker_run, &workers[i]) != 0)
            pl_load_die("cannot start a thread");
    }
    return workers;
}

static void add_up(pl_load_result_t *sum, const pl_load_worker_t *workers, uint32_t count)
{
    memset(sum, 0, sizeof(*sum));
    for (uint32_t i = 0; i < count; i++)
        pl_load_result_merge(sum, &workers[i].result);
}

/* If standard input is a pipe or a terminal, its end means stop. /dev/null or a file has no
 * meaning. */
static bool input_tells(void)
{
    struct stat input;

    return fstat(STDIN_FILENO, &input) == 0 &&
           (S_ISFIFO(input.st_mode) || S_ISSOCK(input.st_mode) || isatty(STDIN_FILENO));
}

static void wait_for_input(int64_t until_us)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char ignored[256];

    while (!pl_load_is_stopped() && pl_clock_monotonic_us() < until_us)
        if (poll(&input, 1, 100) > 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0)
            pl_load_stop();
}

static int64_t cpu_us(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

int main(int argc, char **argv)
{
    static pl_load_result_t sum;
    pl_load_options_t options;
    pl_load_shared_t shared;

    pl_load_options_parse(&options, argc, argv);
    if (options.kind == PL_LOAD_STREAMS && options.seconds < 0 && !input_tells())
        pl_load_die("without a standard input that can be closed, give --seconds");
    prepare_process();
    prepare(&shared, &options);
    int64_t begin_us = pl_clock_monotonic_us();
    pl_load_worker_t *workers = start_workers(&shared);

    pthread_barrier_wait(&shared.opened);
    int64_t opened_us = pl_clock_monotonic_us();
    int64_t cpu_before_us = cpu_us();
    if (options.kind == PL_LOAD_STREAMS) {
        add_up(&sum, workers, options.threads);
        pl_load_result_print_streams(&sum, "opened", opened_us - begin_us);
    }
    shared.start_us = pl_clock_monotonic_us();
    pthread_barrier_wait(&shared.go);
    if (options.kind == PL_LOAD_STREAMS && input_tells())
        wait_for_input(options.seconds < 0 ? INT64_MAX
                                           : shared.start_us + (int64_t)(options.seconds * 1e6));
    for (uint32_t i = 0; i < options.threads; i++)
        pthread_join(workers[i].thread, NULL);

    add_up(&sum, workers, options.threads);
    if (options.kind == PL_LOAD_STREAMS)
        pl_load_result_print_streams(&sum, "end", opened_us - begin_us);
    else
        pl_load_result_print(&sum, &options, shared.start_us + (int64_t)(options.warmup * 1e6),
                             cpu_us() - cpu_before_us);
    free(workers);
    dispose(&shared);
    free(options.authority);
    return EXIT_SUCCESS;
}
