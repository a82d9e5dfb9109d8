#include "core/password_work.h"

#include <string.h>

static void on_result(pl_task_t *task)
{
    pl_password_work_t *work = H2O_STRUCT_FROM_MEMBER(pl_password_work_t, task, task);
    work->on_done(work, work->job);
}

static void prepare(pl_password_work_t *work)
{
    memset(&work->task, 0, sizeof(work->task));
    work->task.run = on_result;
}

int pl_password_work_hash(pl_password_work_t *work, pl_password_pool_t *pool, const char *password,
                          size_t len)
{
    prepare(work);
    return pl_password_submit_hash(pool, work, NULL, password, len);
}

int pl_password_work_verify(pl_password_work_t *work, pl_password_pool_t *pool,
                            const char *password, size_t len, const char *hash)
{
    prepare(work);
    return pl_password_submit_verify(pool, work, NULL, password, len, hash);
}

void pl_password_work_post(void *target, pl_password_job_t *job)
{
    pl_password_work_t *work = target;
    work->job = job;
    pl_loop_post(work->loop, &work->task);
}
