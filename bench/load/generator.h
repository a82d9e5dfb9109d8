/* Makes the requests: chooses the user, the peer and the content. Everything but the choice, the
 * ids and a counter is formatted beforehand, so a request is cheap. */
#ifndef PL_LOAD_GENERATOR_H
#define PL_LOAD_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "load/options.h"
#include "load/users.h"

#define PL_LOAD_RUN_SIZE 48

/* Valid until the generator makes the next one. */
typedef struct pl_load_request {
    const pl_load_user_t *user;
    const char *method;
    const char *path;
    size_t path_len;
    const char *body;
    size_t body_len; /* 0: none */
} pl_load_request_t;

/* One for each thread. */
typedef struct pl_load_generator {
    const pl_load_options_t *options;
    const pl_load_users_t *users;
    char run[PL_LOAD_RUN_SIZE]; /* the prefix of every clientMessageId of this generator */
    size_t run_len;
    uint64_t sequence;
    uint32_t thread;
    char path[128];
    pl_buffer_t body;
    pl_buffer_t tail; /* the text after the clientMessageId */
} pl_load_generator_t;

/* `options` and `users` must outlive the generator. */
void pl_load_generator_init(pl_load_generator_t *generator, const pl_load_options_t *options,
                            const pl_load_users_t *users, uint32_t thread);
void pl_load_generator_dispose(pl_load_generator_t *generator);

/* Makes the next request of the kind in the options. A push's clientMessageId ends in its sequence
 * (from 0) and intended_us: "RUN-SEQUENCE-TIME". */
void pl_load_generator_next(pl_load_generator_t *generator, int64_t intended_us,
                            pl_load_request_t *request);

/* Makes the request that opens the event stream of a user. */
void pl_load_generator_stream(const pl_load_generator_t *generator, uint32_t user,
                              pl_load_request_t *request);

/* Returns the user of receiver number i (below options->receivers). Receivers are spread evenly
 * over all users, so that the users after each receiver can be its senders. */
uint32_t pl_load_generator_receiver(const pl_load_generator_t *generator, uint32_t i);

/* Writes up to 20 digits; returns how many. */
size_t pl_load_decimal(char *to, uint64_t value);

#endif
