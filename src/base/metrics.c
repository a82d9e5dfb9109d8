#include "base/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Cells of one thread, 8 bytes each; only the pages that are used take memory. The largest need,
 * routes times status classes times histogram bounds, is some hundreds. */
#define MAX_CELLS 8192

/* The cell of zeroed handles; it is never read. */
#define UNUSED_CELL 0

enum metric_type { TYPE_COUNTER, TYPE_GAUGE, TYPE_HISTOGRAM, TYPE_READ };

struct metric {
    struct metric *next; /* of the same family, in order of registration */
    char *labels;        /* may be empty */
    uint32_t cell;
    double (*read)(void *owner);
    void *owner;
};

/* All metrics of one name. */
struct family {
    struct family *next;
    char *name;
    char *help;
    enum metric_type type;
    const uint64_t *bounds;
    uint32_t bounds_count;
    double scale;
    struct metric *metrics;
};

/* One thread's cells. They stay when the thread ends: a counter never falls. */
struct thread_cells {
    struct thread_cells *next;
    _Atomic uint64_t cells[MAX_CELLS];
};

const uint64_t pl_histogram_latency_us[] = {500,     1000,    2500,    5000,    10000,
                                            25000,   50000,   100000,  250000,  500000,
                                            1000000, 2500000, 5000000, 10000000};
const size_t pl_histogram_latency_us_count = sizeof(pl_histogram_latency_us) /
                                             sizeof(pl_histogram_latency_us[0]);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct family *families;
static struct thread_cells *threads;
static uint32_t cells_used = UNUSED_CELL + 1;
static _Thread_local struct thread_cells *own;

static struct thread_cells *add_thread(void)
{
    struct thread_cells *cells = pl_calloc(1, sizeof(*cells));
    pthread_mutex_lock(&lock);
    cells->next = threads;
    threads = cells;
    pthread_mutex_unlock(&lock);
    own = cells;
    return cells;
}

/* Only this thread writes its cells, so a load and a store are enough. */
static void add_to_cell(uint32_t cell, uint64_t n)
{
    struct thread_cells *cells = own != NULL ? own : add_thread();
    uint64_t value = atomic_load_explicit(&cells->cells[cell], memory_order_relaxed);
    atomic_store_explicit(&cells->cells[cell], value + n, memory_order_relaxed);
}

static uint64_t sum_cell(uint32_t cell)
{
    uint64_t sum = 0;
    for (struct thread_cells *thread = threads; thread != NULL; thread = thread->next)
        sum += atomic_load_explicit(&thread->cells[cell], memory_order_relaxed);
    return sum;
}

static struct family *find_family(const char *name, const char *help, enum metric_type type)
{
    struct family **at = &families;
    for (; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0) {
            assert((*at)->type == type && "one name, one type");
            return *at;
        }
    }
    struct family *family = pl_calloc(1, sizeof(*family));
    family->name = pl_strdup(name);
    family->help = pl_strdup(help);
    family->type = type;
    *at = family;
    return family;
}

static struct metric *find_metric(struct family *family, const char *labels, uint32_t cells)
{
    struct metric **at = &family->metrics;
    for (; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->labels, labels) == 0)
            return *at;
    assert(cells_used + cells <= MAX_CELLS && "more metrics than MAX_CELLS");
    struct metric *metric = pl_calloc(1, sizeof(*metric));
    metric->labels = pl_strdup(labels);
    metric->cell = cells_used;
    cells_used += cells;
    *at = metric;
    return metric;
}

static uint32_t register_cell(const char *name, const char *help, const char *labels,
                              enum metric_type type)
{
    pthread_mutex_lock(&lock);
    struct family *family = find_family(name, help, type);
    uint32_t cell = find_metric(family, labels != NULL ? labels : "", 1)->cell;
    pthread_mutex_unlock(&lock);
    return cell;
}

pl_counter_t pl_counter_register(const char *name, const char *help, const char *labels)
{
    return (pl_counter_t){register_cell(name, help, labels, TYPE_COUNTER)};
}

void pl_counter_add(pl_counter_t counter, uint64_t n)
{
    add_to_cell(counter.cell, n);
}

pl_gauge_t pl_gauge_register(const char *name, const char *help, const char *labels)
{
    return (pl_gauge_t){register_cell(name, help, labels, TYPE_GAUGE)};
}

/* A thread's share of a gauge may be negative; the sum wraps to the right value. */
void pl_gauge_add(pl_gauge_t gauge, int64_t n)
{
    add_to_cell(gauge.cell, (uint64_t)n);
}

void pl_gauge_register_read(const char *name, const char *help, const char *labels,
                            double (*read)(void *owner), void *owner)
{
    pthread_mutex_lock(&lock);
    struct family *family = find_family(name, help, TYPE_READ);
    struct metric *metric = find_metric(family, labels != NULL ? labels : "", 0);
    metric->read = read;
    metric->owner = owner;
    pthread_mutex_unlock(&lock);
}

pl_histogram_t pl_histogram_register(const char *name, const char *help, const char *labels,
                                     const uint64_t *bounds, size_t bounds_count, double scale)
{
    pthread_mutex_lock(&lock);
    struct family *family = find_family(name, help, TYPE_HISTOGRAM);
    family->bounds = bounds;
    family->bounds_count = (uint32_t)bounds_count;
    family->scale = scale;
    uint32_t cell =
        find_metric(family, labels != NULL ? labels : "", (uint32_t)bounds_count + 2)->cell;
    pthread_mutex_unlock(&lock);
    return (pl_histogram_t){cell, (uint32_t)bounds_count, bounds};
}

void pl_histogram_observe(pl_histogram_t histogram, uint64_t value)
{
    if (histogram.bounds == NULL)
        return;
    uint32_t i = 0;
    while (i < histogram.bounds_count && value > histogram.bounds[i])
        i++;
    add_to_cell(histogram.cell + i, 1);
    add_to_cell(histogram.cell + histogram.bounds_count + 1, value);
}

uint64_t pl_counter_read(pl_counter_t counter)
{
    pthread_mutex_lock(&lock);
    uint64_t sum = sum_cell(counter.cell);
    pthread_mutex_unlock(&lock);
    return sum;
}

int64_t pl_gauge_read(pl_gauge_t gauge)
{
    pthread_mutex_lock(&lock);
    int64_t sum = (int64_t)sum_cell(gauge.cell);
    pthread_mutex_unlock(&lock);
    return sum;
}

/* `extra` is one more label, or empty. */
static void render_sample(pl_buffer_t *out, const char *name, const char *suffix,
                          const char *labels, const char *extra)
{
    pl_buffer_append_text(out, name);
    pl_buffer_append_text(out, suffix);
    if (labels[0] == '\0' && extra[0] == '\0') {
        pl_buffer_append_char(out, ' ');
        return;
    }
    pl_buffer_appendf(out, "{%s%s%s} ", labels, labels[0] != '\0' && extra[0] != '\0' ? "," : "",
                      extra);
}

static void render_histogram(pl_buffer_t *out, const struct family *family,
                             const struct metric *metric)
{
    uint64_t count = 0;
    char bound[64];
    for (uint32_t i = 0; i <= family->bounds_count; i++) {
        count += sum_cell(metric->cell + i);
        if (i < family->bounds_count)
            snprintf(bound, sizeof(bound), "le=\"%.9g\"",
                     (double)family->bounds[i] * family->scale);
        else
            snprintf(bound, sizeof(bound), "le=\"+Inf\"");
        render_sample(out, family->name, "_bucket", metric->labels, bound);
        pl_buffer_appendf(out, "%" PRIu64 "\n", count);
    }
    render_sample(out, family->name, "_sum", metric->labels, "");
    pl_buffer_appendf(out, "%.9g\n",
                      (double)sum_cell(metric->cell + family->bounds_count + 1) * family->scale);
    render_sample(out, family->name, "_count", metric->labels, "");
    pl_buffer_appendf(out, "%" PRIu64 "\n", count);
}

static void render_metric(pl_buffer_t *out, const struct family *family,
                          const struct metric *metric)
{
    switch (family->type) {
    case TYPE_HISTOGRAM:
        render_histogram(out, family, metric);
        return;
    case TYPE_COUNTER:
        render_sample(out, family->name, "", metric->labels, "");
        pl_buffer_appendf(out, "%" PRIu64 "\n", sum_cell(metric->cell));
        return;
    case TYPE_GAUGE:
        render_sample(out, family->name, "", metric->labels, "");
        pl_buffer_appendf(out, "%" PRId64 "\n", (int64_t)sum_cell(metric->cell));
        return;
    case TYPE_READ:
        render_sample(out, family->name, "", metric->labels, "");
        pl_buffer_appendf(out, "%.9g\n", metric->read(metric->owner));
        return;
    }
}

void pl_metrics_render(pl_buffer_t *out)
{
    static const char *const types[] = {
        [TYPE_COUNTER] = "counter",
        [TYPE_GAUGE] = "gauge",
        [TYPE_HISTOGRAM] = "histogram",
        [TYPE_READ] = "gauge",
    };
    pthread_mutex_lock(&lock);
    for (struct family *family = families; family != NULL; family = family->next) {
        pl_buffer_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                          family->name, types[family->type]);
        for (struct metric *metric = family->metrics; metric != NULL; metric = metric->next)
            render_metric(out, family, metric);
    }
    pthread_mutex_unlock(&lock);
}
