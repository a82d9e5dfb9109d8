/*
 * Password jobs for the loop: the pool's threads hand each result back to the loop that asked.
 */
#ifndef PL_API_PASSWORD_WORK_H
#define PL_API_PASSWORD_WORK_H

#include "auth/password.h"
#include "http/request.h"
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

/* Answers for a job that was not done: PL_PASSWORD_CANCELLED or PL_PASSWORD_FAILED. */
void pl_password_work_reply_failure(pl_request_t *request, const pl_password_job_t *job);

/* What the process gives pl_password_pool_create as `post`: targets are pl_password_work_t. */
void pl_password_work_post(void *target, pl_password_job_t *job);

#endif
