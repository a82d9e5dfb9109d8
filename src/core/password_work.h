/*
 * Password jobs of a loop: the threads of the pool hand each result back to the loop that submitted
 * the job.
 */
#ifndef PL_CORE_PASSWORD_WORK_H
#define PL_CORE_PASSWORD_WORK_H

#include "auth/password.h"
#include "loop/loop.h"

typedef struct pl_password_work pl_password_work_t;

/* Embedded in the object that waits for the hash, which lives until on_done. */
struct pl_password_work {
    /* Set by the caller. on_done runs on the loop; it owns *job and frees it. */
    pl_loop_t *loop;
    void (*on_done)(pl_password_work_t *work, pl_password_job_t *job);
    /* Its own. */
    pl_task_t task;
    pl_password_job_t *job;
};

/* As pl_password_submit_hash and pl_password_submit_verify. -1: the queue is full, on_done never
 * runs. */
int pl_password_work_hash(pl_password_work_t *work, pl_password_pool_t *pool, const char *password,
                          size_t len) PL_MUST_USE;
int pl_password_work_verify(pl_password_work_t *work, pl_password_pool_t *pool,
                            const char *password, size_t len, const char *hash) PL_MUST_USE;

/* The `post` of pl_password_pool_create: its targets are pl_password_work_t. */
void pl_password_work_post(void *target, pl_password_job_t *job);

#endif
