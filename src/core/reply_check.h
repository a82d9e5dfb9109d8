/*
 * Checks that the message exists to which a send replies (replyTo). It is read from the sender's
 * mailbox. If it is not there and the sender wrote it, it is read from the recipient's mailbox too,
 * which had it first: the sender's copy may still be in the outbox. If neither can be read in time,
 * the reply is accepted. A reaction checks its message in the same way; the sender is then the user
 * who reacts.
 *
 * Order: a read takes time, and another send of the same pair of users must not overtake it. So
 * every send has such a check. While one of a pair waits, the later ones of that pair wait behind
 * it. A send without replyTo that need not wait continues at once.
 */
#ifndef PL_CORE_REPLY_CHECK_H
#define PL_CORE_REPLY_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "db/cluster.h"
#include "loop/timer.h"

typedef struct pl_reply_checks pl_reply_checks_t;
typedef struct pl_reply_check pl_reply_check_t;
struct pl_reply_lookup;

/* Embedded, zeroed, in an object that lives until on_done. */
struct pl_reply_check {
    /* Set by the caller. on_done may free the object. */
    int64_t sender_id;
    int64_t recipient_id;
    int64_t message_id; /* 0: the send is no reply */
    void (*on_done)(pl_reply_check_t *check);
    /* The result: PL_OK and whether the send may go on, or PL_ERROR_OVERLOADED. */
    enum pl_error_code error;
    bool exists;
    /* Its own. */
    bool is_resolved; /* the result is known, but earlier checks of the pair may still wait */
    struct pl_reply_lookup *lookup;
    pl_timer_t timeout;
    h2o_linklist_t link;
};

/* For one loop. A check waits for a read no longer than the duration of `timeouts`. If
 * `max_waiting` checks wait, further ones end with PL_ERROR_OVERLOADED. Never NULL. */
pl_reply_checks_t *pl_reply_checks_create(const pl_cluster_t *cluster, pl_timer_queue_t *timeouts,
                                          int64_t deadline_s, size_t max_waiting);
/* Only when no check waits. */
void pl_reply_checks_destroy(pl_reply_checks_t **checks);

/* True: the result is there already and on_done will not run. False: on_done will run. */
bool pl_reply_check_start(pl_reply_checks_t *checks, pl_reply_check_t *check) PL_MUST_USE;

#endif
