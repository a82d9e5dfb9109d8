/*
 * Whether the message that a send answers (replyTo) exists: read from the sender's mailbox. What
 * that does not hold and the sender has sent is asked of the recipient's, which had it first: the
 * sender's copy may still be owed. Where neither can be asked in time, the sender is believed. A
 * reaction asks the same of the message that it is for: there the sender is who reacts.
 *
 * Order: a read takes its time, and another send of the same pair must not overtake it. So every
 * send comes here, and while one of a pair waits, the later ones of that pair wait behind it. One
 * that answers nothing and has nobody to wait for goes on at once.
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

/* Embedded, zeroed, in the object that asks, which lives until on_done. */
struct pl_reply_check {
    /* Set by the caller. on_done may free the object. */
    int64_t sender_id;
    int64_t recipient_id;
    int64_t message_id; /* 0: the send answers nothing */
    void (*on_done)(pl_reply_check_t *check);
    /* The answer: PL_OK and whether the send may go on, or PL_ERROR_OVERLOADED. */
    enum pl_error_code error;
    bool exists;
    /* Its own. */
    bool is_settled; /* the answer is known; those before it may not have theirs */
    struct pl_reply_lookup *lookup;
    pl_timer_t timeout;
    h2o_linklist_t link;
};

/* For one loop. A read that takes longer than `timeouts` lasts is waited for no more. More than
 * `max_waiting` who wait are refused. Never NULL. */
pl_reply_checks_t *pl_reply_checks_create(const pl_cluster_t *cluster, pl_timer_queue_t *timeouts,
                                          int64_t deadline_s, size_t max_waiting);
/* When nobody waits. */
void pl_reply_checks_destroy(pl_reply_checks_t **checks);

/* True: the answer is there already and on_done will not run. False: on_done will. */
bool pl_reply_check_start(pl_reply_checks_t *checks, pl_reply_check_t *check) PL_MUST_USE;

#endif
