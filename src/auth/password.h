/* Password hashing: Argon2id (19,456 KiB, 2 passes, 1 lane, as OWASP advises) on a bounded pool of
 * threads with a bounded queue. One hash takes some 30 ms, so it never runs on an event loop; and a
 * flood of logins is refused instead of taking all cores and memory. */
#ifndef PL_AUTH_PASSWORD_H
#define PL_AUTH_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"

#define PL_PASSWORD_HASH_SIZE 128 /* "$argon2id$v=19$m=..." and a NUL */
#define PL_PASSWORD_MIN 8         /* bytes */
#define PL_PASSWORD_MAX 1024

typedef struct pl_password_pool pl_password_pool_t;

/* The result, handed to post. */
typedef struct pl_password_job {
    void *data; /* what the caller gave */
    enum {
        PL_PASSWORD_HASHED,    /* hash is set */
        PL_PASSWORD_MATCH,     /* the password is that of the hash */
        PL_PASSWORD_MISMATCH,  /* it is not; or there was no hash to compare with */
        PL_PASSWORD_CANCELLED, /* the pool was destroyed before this job's turn */
        PL_PASSWORD_FAILED,    /* memory for the hash could not be had */
    } result;
    char hash[PL_PASSWORD_HASH_SIZE]; /* ended by a NUL */
} pl_password_job_t;

/* Called once for every accepted job, on a thread of the pool (or on the one that destroys it),
 * possibly before the submitting call has returned. It hands job on to target's own thread, which
 * owns it from then and frees it with pl_password_job_free(). The password itself is wiped by then.
 */
typedef void (*pl_password_post_t)(void *target, pl_password_job_t *job);

/* threads: 1 to 64; queue_size: how many jobs may wait, 1 or more. Returns 0, or -1 with
 * PL_ERROR_INTERNAL. */
int pl_password_pool_create(size_t threads, size_t queue_size, pl_password_post_t post,
                            pl_password_pool_t **pool_r, pl_error_t *err) PL_MUST_USE;

/* Lets running jobs end, posts the waiting ones as PL_PASSWORD_CANCELLED, joins the threads, sets
 * *pool to NULL. Nobody submits any more. Fine on NULL. */
void pl_password_pool_destroy(pl_password_pool_t **pool);

/* Both copy what they are given and return 0; or -1 when the queue is full: nothing will be posted,
 * answer 503. Thread-safe. password: at most PL_PASSWORD_MAX bytes, any bytes. */
int pl_password_submit_hash(pl_password_pool_t *pool, void *target, void *data,
                            const char *password, size_t len) PL_MUST_USE;
/* hash NULL: there is no such user, or none with a password. The same work is done, so that time
 * does not tell, and the result is PL_PASSWORD_MISMATCH. */
int pl_password_submit_verify(pl_password_pool_t *pool, void *target, void *data,
                              const char *password, size_t len, const char *hash) PL_MUST_USE;

/* Frees and sets *job to NULL. */
void pl_password_job_free(pl_password_job_t **job);

/* Jobs that wait now, for metrics. */
size_t pl_password_pool_waiting(pl_password_pool_t *pool);

#endif
