/*
 * The context of the calls of one loop.
 *
 * The core has a call for each operation of the API: it takes plain arguments, and ends with an
 * outcome (core/outcome.h) and its data. It does not depend on HTTP, so REST handlers, sockets and
 * tests make the same calls. A call runs as a flow (core/flow.h) on the loop that started it.
 *
 * The data that the core keeps between calls (cached pages, ids that are known to exist)
 * belongs to the loop and needs no lock, except for the parts that the whole process shares, which
 * have their own locks.
 */
#ifndef PL_CORE_CORE_H
#define PL_CORE_CORE_H

#include <stdint.h>

#include "auth/endings.h"
#include "auth/password.h"
#include "config/config.h"
#include "db/cluster.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "push/hub.h"
#include "push/presence.h"
#include "store/outbox.h"

struct pl_erased_users;
struct pl_known_users;
struct pl_page_cache;
struct pl_receipt_writer;
struct pl_reply_checks;
struct pl_session_answers;
struct pl_typing_limit;
struct pl_user_checks;

/* The objects of lower layers that the core needs. All of them outlive the core. */
typedef struct pl_core_deps {
    const pl_config_t *config;
    const pl_cluster_t *cluster;
    pl_settler_t *settler; /* of this loop */
    pl_hub_local_t *hub;   /* of this loop */
    /* Of the process: */
    pl_password_pool_t *passwords; /* its `post` is pl_password_work_post */
    pl_presence_t *presence;
    struct pl_typing_limit *typing_limit;
    struct pl_receipt_writer *receipt_writer;
    struct pl_erased_users *erased_users;
    pl_endings_t *endings;
} pl_core_deps_t;

typedef struct pl_core {
    pl_loop_t *loop;
    pl_core_deps_t deps;
    struct pl_page_cache *pages;
    struct pl_known_users *known_users;
    pl_timer_t known_users_turn;
    struct pl_user_checks *user_checks;
    struct pl_reply_checks *reply_checks;    /* of sends */
    struct pl_reply_checks *reaction_checks; /* of reactions: no send waits for them */
    struct pl_session_answers *session_answers;
    pl_timer_queue_t *copy_timeouts; /* of [lanes] copy_deadline */
} pl_core_t;

/* The deadline of an operation that begins now, for pl_op_t.deadline_ms. */
uint64_t pl_core_deadline_ms(const pl_core_t *core);

#endif
