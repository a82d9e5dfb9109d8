/* A thread with its share of the connections, the rate and the streams. All threads open their
 * connections, wait for each other, and begin at the same time. */
#ifndef PL_LOAD_WORKER_H
#define PL_LOAD_WORKER_H

#include <pthread.h>
#include <stdint.h>

#include "load/options.h"
#include "load/result.h"
#include "load/users.h"

typedef struct pl_load_shared {
    const pl_load_options_t *options;
    pl_load_users_t users;
    pthread_barrier_t opened; /* of the threads and main */
    pthread_barrier_t go;
    int64_t start_us; /* set between the two */
} pl_load_shared_t;

typedef struct pl_load_worker {
    pl_load_shared_t *shared;
    uint32_t number; /* from 0 */
    pthread_t thread;
    pl_load_result_t result;
} pl_load_worker_t;

/* argument: a pl_load_worker_t with `shared` and `number` set. Its result may be read between the
 * barriers and after the thread has ended. */
void *pl_load_worker_run(void *argument);

#endif
