/* Password hashing: Argon2id (19,456 KiB, 2 passes, 1 lane, as OWASP advises) on a pool of threads
 * with a bounded queue. One hash takes about 30 ms, so it must not run on an event loop. Because
 * pool and queue are bounded, too many logins are refused before they use all cores and memory. */
#ifndef PL_AUTH_PASSWORD_H
#define PL_AUTH_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"

#define PL_PASSWORD_HASH_SIZE 128 /* "$argon2id$v=19$m=..." and a NUL */
#define PL_PASSWORD_MIN 8         /* characters; the configuration may ask for more */
#define PL_PASSWORD_MAX 1024      /* bytes */

typedef struct pl_password_pool pl_password_pool_t;

/* A finished job, given to post. */
typedef struct pl_password_job {
    void *data; /* the caller's pointer */
    enum {
        PL_PASSWORD_HASHED,    /* hash is set */
        PL_PASSWORD_MATCH,     /* the hash is that of the password */
        PL_PASSWORD_MISMATCH,  /* it is not, or there was no hash */
        PL_PASSWORD_CANCELLED, /* the pool was destroyed before a thread took the job */
        PL_PASSWORD_FAILED,    /* there was not enough memory */
    } result;
    char hash[PL_PASSWORD_HASH_SIZE]; /* ends in a NUL */
} pl_password_job_t;

/* Called once for every accepted job, on a thread of the pool or on the thread that destroys the
 * pool, possibly before the submitting call has returned. It must pass job on to target's own
 * thread, which owns it then and frees it with pl_password_job_free(). The password is overwritten
 * before the call. */
typedef void (*pl_password_post_t)(void *target, pl_password_job_t *job);

/* threads: 1 to 64. queue_size: how many jobs may wait, 1 or more. Returns 0, or -1 with
 * PL_ERROR_INTERNAL. */
int pl_password_pool_create(size_t threads, size_t queue_size, pl_password_post_t post,
                            pl_password_pool_t **pool_r, pl_error_t *err) PL_MUST_USE;

/* Lets the running jobs end, joins the threads, posts the waiting jobs as PL_PASSWORD_CANCELLED,
 * and sets *pool to NULL. No thread may submit any more. *pool may be NULL. */
void pl_password_pool_destroy(pl_password_pool_t **pool);

/* Both return 0 and keep copies of the password and the hash; or -1 if the queue is full, and then
 * nothing is posted. Thread-safe. password: at most PL_PASSWORD_MAX bytes of any value. */
int pl_password_submit_hash(pl_password_pool_t *pool, void *target, void *data,
                            const char *password, size_t len) PL_MUST_USE;
/* hash is NULL if there is no such user, or the user has no password. Then the result is
 * PL_PASSWORD_MISMATCH after the same work, so that the time does not reveal it. */
int pl_password_submit_verify(pl_password_pool_t *pool, void *target, void *data,
                              const char *password, size_t len, const char *hash) PL_MUST_USE;

/* Frees and sets *job to NULL. */
void pl_password_job_free(pl_password_job_t **job);

/* The number of waiting jobs, for metrics. Thread-safe. */
size_t pl_password_pool_waiting(pl_password_pool_t *pool);

#endif
