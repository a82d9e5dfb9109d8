/* A job waits in the queue until a thread takes it, hashes and posts it. One lock protects the
 * queue; hashing and posting happen without it. */
#include "auth/password.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The parameters that OWASP advises for Argon2id: 19 MiB, 2 passes, 1 lane. */
#define PASSES 2
#define MEMORY_BYTES (19456u * 1024u)

_Static_assert(PL_PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "hash holds libsodium's string");

/* Used in place of the hash of a user who does not exist: verifying costs the same, and no password
 * matches. */
static const char no_hash[] = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

typedef struct work {
    pl_password_job_t job; /* must be the first member: free(job) frees the work */
    struct work *next;
    void *target;
    bool is_verify;
    bool has_hash;
    size_t len;
    char password[]; /* len bytes */
} work_t;

struct pl_password_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there is new work, or stop is set */
    work_t *first, *last;
    size_t waiting;
    size_t queue_size;
    bool stop;
    pl_password_post_t post;
    size_t thread_count;
    pthread_t threads[];
};

static void verify(work_t *work)
{
    errno = 0;
    int matches = crypto_pwhash_str_verify(work->job.hash, work->password, work->len);
    if (matches == 0 && work->has_hash)
        work->job.result = PL_PASSWORD_MATCH;
    else if (matches != 0 && errno == ENOMEM)
        work->job.result = PL_PASSWORD_FAILED;
    else
        work->job.result = PL_PASSWORD_MISMATCH;
}

static void make_hash(work_t *work)
{
    int failed = crypto_pwhash_str_alg(work->job.hash, work->password, work->len, PASSES,
                                       MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13);
    work->job.result = failed == 0 ? PL_PASSWORD_HASHED : PL_PASSWORD_FAILED;
}

static void finish(pl_password_pool_t *pool, work_t *work)
{
    sodium_memzero(work->password, work->len);
    pool->post(work->target, &work->job);
}

/* Waits for work and returns it; NULL when the pool stops. */
static work_t *take(pl_password_pool_t *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->stop)
        pthread_cond_wait(&pool->changed, &pool->lock);
    work_t *work = pool->stop ? NULL : pool->first;
    if (work != NULL) {
        pool->first = work->next;
        pool->waiting--;
    }
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void *run(void *arg)
{
    pl_password_pool_t *pool = arg;
    work_t *work;
    while ((work = take(pool)) != NULL) {
        if (work->is_verify)
            verify(work);
        else
            make_hash(work);
        finish(pool, work);
    }
    return NULL;
}

/* Only the main thread handles signals, so the pool's threads start with all signals blocked. */
static int start_threads(pl_password_pool_t *pool, size_t count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    while (error == 0 && pool->thread_count < count) {
        error = pthread_create(&pool->threads[pool->thread_count], NULL, run, pool);
        if (error == 0)
            pthread_setname_np(pool->threads[pool->thread_count++], "password");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int pl_password_pool_create(size_t threads, size_t queue_size, pl_password_post_t post,
                            pl_password_pool_t **pool_r, pl_error_t *err)
{
    assert(threads >= 1 && threads <= 64 && queue_size >= 1);
    *pool_r = NULL;
    if (sodium_init() < 0) {
        pl_error_set(err, PL_ERROR_INTERNAL, "libsodium does not start");
        return -1;
    }
    pl_password_pool_t *pool = pl_calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->queue_size = queue_size;
    pool->post = post;
    int error = start_threads(pool, threads);
    if (error != 0) {
        pl_error_set(err, PL_ERROR_INTERNAL, "cannot start a thread: %s", strerror(error));
        pl_password_pool_destroy(&pool);
        return -1;
    }
    *pool_r = pool;
    return 0;
}

void pl_password_pool_destroy(pl_password_pool_t **pool)
{
    pl_password_pool_t *p = *pool;
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    while (p->first != NULL) {
        work_t *work = p->first;
        p->first = work->next;
        work->job.result = PL_PASSWORD_CANCELLED;
        finish(p, work);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pool = NULL;
}

static work_t *new_work(void *target, void *data, const char *password, size_t len)
{
    assert(len <= PL_PASSWORD_MAX);
    work_t *work = pl_calloc(1, sizeof(*work) + len);
    work->job.data = data;
    work->target = target;
    work->len = len;
    memcpy(work->password, password, len);
    return work;
}

static int submit(pl_password_pool_t *pool, work_t *work)
{
    pthread_mutex_lock(&pool->lock);
    bool is_full = pool->waiting == pool->queue_size;
    if (!is_full) {
        if (pool->first == NULL)
            pool->first = work;
        else
            pool->last->next = work;
        pool->last = work;
        pool->waiting++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    if (is_full) {
        sodium_memzero(work->password, work->len);
        free(work);
    }
    return is_full ? -1 : 0;
}

int pl_password_submit_hash(pl_password_pool_t *pool, void *target, void *data,
                            const char *password, size_t len)
{
    return submit(pool, new_work(target, data, password, len));
}

int pl_password_submit_verify(pl_password_pool_t *pool, void *target, void *data,
                              const char *password, size_t len, const char *hash)
{
    work_t *work = new_work(target, data, password, len);
    work->is_verify = true;
    work->has_hash = hash != NULL && strlen(hash) < sizeof(work->job.hash);
    const char *compared = work->has_hash ? hash : no_hash;
    memcpy(work->job.hash, compared, strlen(compared) + 1);
    return submit(pool, work);
}

void pl_password_job_free(pl_password_job_t **job)
{
    free(*job);
    *job = NULL;
}

size_t pl_password_pool_waiting(pl_password_pool_t *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}
