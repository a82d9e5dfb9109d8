/* Proves: hashes are Argon2id with the promised cost and match only their own password; a full
 * queue refuses jobs; every accepted job is posted once, also when the pool is destroyed. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/password.h"
#include "testing.h"

/* A target that collects jobs, as a loop does. The gate stops the pool's thread. */
typedef struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pl_password_job_t *jobs[64];
    size_t count;
    bool gate_closed;
    bool in_post;
} inbox_t;

static void inbox_init(inbox_t *inbox)
{
    memset(inbox, 0, sizeof(*inbox));
    pthread_mutex_init(&inbox->lock, NULL);
    pthread_cond_init(&inbox->changed, NULL);
}

static void inbox_dispose(inbox_t *inbox)
{
    for (size_t i = 0; i < inbox->count; i++)
        pl_password_job_free(&inbox->jobs[i]);
    pthread_cond_destroy(&inbox->changed);
    pthread_mutex_destroy(&inbox->lock);
}

static void post(void *target, pl_password_job_t *job)
{
    inbox_t *inbox = target;
    pthread_mutex_lock(&inbox->lock);
    inbox->in_post = true;
    pthread_cond_broadcast(&inbox->changed);
    while (inbox->gate_closed)
        pthread_cond_wait(&inbox->changed, &inbox->lock);
    inbox->jobs[inbox->count++] = job;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

static void wait_for(inbox_t *inbox, size_t count)
{
    pthread_mutex_lock(&inbox->lock);
    while (inbox->count < count)
        pthread_cond_wait(&inbox->changed, &inbox->lock);
    pthread_mutex_unlock(&inbox->lock);
}

static void set_gate(inbox_t *inbox, bool closed)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->gate_closed = closed;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

static pl_password_job_t *only_job(inbox_t *inbox)
{
    wait_for(inbox, 1);
    pl_password_job_t *job = inbox->jobs[0];
    inbox->count = 0;
    return job;
}

static int verify(pl_password_pool_t *pool, inbox_t *inbox, const char *password, size_t len,
                  const char *hash)
{
    assert_int_equal(pl_password_submit_verify(pool, inbox, NULL, password, len, hash), 0);
    pl_password_job_t *job = only_job(inbox);
    int result = (int)job->result;
    pl_password_job_free(&job);
    return result;
}

static void test_hash_and_verify(void **state)
{
    (void)state;
    inbox_t inbox;
    pl_password_pool_t *pool;
    int data;
    inbox_init(&inbox);
    assert_int_equal(pl_password_pool_create(1, 4, post, &pool, NULL), 0);

    assert_int_equal(pl_password_submit_hash(pool, &inbox, &data, "pass\0word", 9), 0);
    pl_password_job_t *job = only_job(&inbox);
    assert_int_equal(job->result, PL_PASSWORD_HASHED);
    assert_ptr_equal(job->data, &data);
    static const char prefix[] = "$argon2id$v=19$m=19456,t=2,p=1$";
    assert_memory_equal(job->hash, prefix, sizeof(prefix) - 1);
    char hash[PL_PASSWORD_HASH_SIZE];
    memcpy(hash, job->hash, sizeof(hash));
    pl_password_job_free(&job);
    assert_null(job);

    assert_int_equal(verify(pool, &inbox, "pass\0word", 9, hash), PL_PASSWORD_MATCH);
    assert_int_equal(verify(pool, &inbox, "pass\0worD", 9, hash), PL_PASSWORD_MISMATCH);
    assert_int_equal(verify(pool, &inbox, "pass", 4, hash), PL_PASSWORD_MISMATCH);
    assert_int_equal(verify(pool, &inbox, "", 0, hash), PL_PASSWORD_MISMATCH);
    assert_int_equal(verify(pool, &inbox, "pass\0word", 9, NULL), PL_PASSWORD_MISMATCH);
    assert_int_equal(verify(pool, &inbox, "pass\0word", 9, ""), PL_PASSWORD_MISMATCH);
    assert_int_equal(verify(pool, &inbox, "pass\0word", 9, "no hash"), PL_PASSWORD_MISMATCH);

    char longest[PL_PASSWORD_MAX];
    memset(longest, 0xff, sizeof(longest));
    assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, longest, sizeof(longest)), 0);
    job = only_job(&inbox);
    assert_int_equal(job->result, PL_PASSWORD_HASHED);
    assert_int_equal(verify(pool, &inbox, longest, sizeof(longest), job->hash), PL_PASSWORD_MATCH);
    assert_int_equal(verify(pool, &inbox, longest, sizeof(longest) - 1, job->hash),
                     PL_PASSWORD_MISMATCH);
    pl_password_job_free(&job);

    pl_password_pool_destroy(&pool);
    assert_null(pool);
    pl_password_pool_destroy(&pool);
    inbox_dispose(&inbox);
}

static double seconds_of_verify(pl_password_pool_t *pool, inbox_t *inbox, const char *hash)
{
    struct timespec begin, end;
    double least = 1e9;
    for (int i = 0; i < 5; i++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        assert_int_equal(verify(pool, inbox, "password", 8, hash), PL_PASSWORD_MISMATCH);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double seconds = (double)(end.tv_sec - begin.tv_sec) +
                         (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
        least = seconds < least ? seconds : least;
    }
    return least;
}

/* The answer for an unknown user must not be faster. Measures CPU time, which does not depend on
 * the load of the machine. */
static void test_unknown_user_takes_the_same_time(void **state)
{
    (void)state;
    inbox_t inbox;
    pl_password_pool_t *pool;
    inbox_init(&inbox);
    assert_int_equal(pl_password_pool_create(1, 4, post, &pool, NULL), 0);
    assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "another one", 11), 0);
    pl_password_job_t *job = only_job(&inbox);
    double with = seconds_of_verify(pool, &inbox, job->hash);
    double without = seconds_of_verify(pool, &inbox, NULL);
    assert_true(without > with / 2);
    assert_true(without < with * 2);
    pl_password_job_free(&job);
    pl_password_pool_destroy(&pool);
    inbox_dispose(&inbox);
}

static void test_full_queue_refuses(void **state)
{
    (void)state;
    inbox_t inbox;
    pl_password_pool_t *pool;
    inbox_init(&inbox);
    set_gate(&inbox, true);
    assert_int_equal(pl_password_pool_create(1, 2, post, &pool, NULL), 0);
    assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "password", 8), 0);
    pthread_mutex_lock(&inbox.lock);
    while (!inbox.in_post) /* the first job stops the only thread */
        pthread_cond_wait(&inbox.changed, &inbox.lock);
    pthread_mutex_unlock(&inbox.lock);
    assert_int_equal(pl_password_pool_waiting(pool), 0);
    assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "password", 8), 0);
    assert_int_equal(pl_password_submit_verify(pool, &inbox, NULL, "password", 8, NULL), 0);
    assert_int_equal(pl_password_pool_waiting(pool), 2);
    assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "password", 8), -1);
    assert_int_equal(pl_password_submit_verify(pool, &inbox, NULL, "password", 8, NULL), -1);
    set_gate(&inbox, false);
    wait_for(&inbox, 3);
    assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "password", 8), 0);
    wait_for(&inbox, 4);
    assert_int_equal(inbox.jobs[2]->result, PL_PASSWORD_MISMATCH); /* in the order of submission */
    pl_password_pool_destroy(&pool);
    assert_int_equal(inbox.count, 4);
    inbox_dispose(&inbox);
}

static void *open_gate_later(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    set_gate(arg, false);
    return NULL;
}

static void test_destroy_posts_the_waiting_jobs(void **state)
{
    (void)state;
    inbox_t inbox;
    pl_password_pool_t *pool;
    pthread_t opener;
    inbox_init(&inbox);
    set_gate(&inbox, true);
    assert_int_equal(pl_password_pool_create(1, 10, post, &pool, NULL), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "password", 8), 0);
    pthread_mutex_lock(&inbox.lock);
    while (!inbox.in_post)
        pthread_cond_wait(&inbox.changed, &inbox.lock);
    pthread_mutex_unlock(&inbox.lock);
    assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &inbox), 0);
    pl_password_pool_destroy(&pool);
    pthread_join(opener, NULL);
    assert_int_equal(inbox.count, 5);
    assert_int_equal(inbox.jobs[0]->result, PL_PASSWORD_HASHED);
    assert_int_equal(inbox.jobs[4]->result, PL_PASSWORD_CANCELLED);
    inbox_dispose(&inbox);
}

static void test_many_threads(void **state)
{
    (void)state;
    inbox_t inbox;
    pl_password_pool_t *pool;
    inbox_init(&inbox);
    assert_int_equal(pl_password_pool_create(4, 64, post, &pool, NULL), 0);
    for (int i = 0; i < 24; i++)
        assert_int_equal(pl_password_submit_hash(pool, &inbox, NULL, "password", 8), 0);
    wait_for(&inbox, 24);
    for (size_t i = 0; i < 24; i++) {
        assert_int_equal(inbox.jobs[i]->result, PL_PASSWORD_HASHED);
        for (size_t k = 0; k < i; k++) /* each has its own salt */
            assert_string_not_equal(inbox.jobs[i]->hash, inbox.jobs[k]->hash);
    }
    pl_password_pool_destroy(&pool);
    inbox_dispose(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_and_verify),
        cmocka_unit_test(test_unknown_user_takes_the_same_time),
        cmocka_unit_test(test_full_queue_refuses),
        cmocka_unit_test(test_destroy_posts_the_waiting_jobs),
        cmocka_unit_test(test_many_threads),
    };
    return RUN_TESTS(tests);
}
