/*
 * sendMessage, to a user or to a group.
 *
 * A send does not depend on its caller: it runs to its end even if the caller has left, and only
 * the result is lost.
 */
#ifndef PL_CORE_SEND_H
#define PL_CORE_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/core.h"
#include "core/outcome.h"

#define PL_CLIENT_MESSAGE_ID_MAX 64  /* characters */
#define PL_MESSAGE_CONTENT_MAX 65535 /* bytes */

/* Valid input; the texts are copied. */
typedef struct pl_send_order {
    int64_t sender_id;
    int64_t actor_id; /* the caller: the sender, or an admin */
    int64_t peer_id;  /* the recipient, who may be the sender, or a group */
    const char *client_message_id;
    size_t client_message_id_len;
    const char *content; /* valid UTF-8 without NUL */
    size_t content_len;
    int64_t reply_to; /* a messageId; 0: none */
    /* An application's own JSON object; metadata_len 0: none. */
    const char *metadata;
    size_t metadata_len;
} pl_send_order_t;

typedef struct pl_send_result {
    /* PL_OUTCOME_DONE, PL_OUTCOME_DUPLICATE, or why nothing was sent. PL_OUTCOME_NO_ACTOR: the
     * sender does not exist. */
    pl_outcome_t outcome;
    int64_t sender_id;
    int64_t peer_id;
    int64_t message_id;            /* assigned now, or by the first send */
    bool is_copy_stored;           /* the sender's copy, or that of every member */
    const char *client_message_id; /* dies with the callback */
    size_t client_message_id_len;
} pl_send_result_t;

/* Called once, on the loop, never before pl_send_start returns. */
typedef void (*pl_send_done_fn)(const pl_send_result_t *result, void *owner);

void pl_send_start(pl_core_t *core, const pl_send_order_t *order, pl_send_done_fn on_done,
                   void *owner);

/* Called by pl_core_metrics_init. */
void pl_send_metrics_init(void);

/* ---- send.c and group_send.c ---- */

void pl_group_send_start(pl_core_t *core, const pl_send_order_t *order, pl_send_done_fn on_done,
                         void *owner);

/* The row's `extra` (sql/README.md) of the message; nothing, if it has none. */
void pl_send_extra_to_json(pl_buffer_t *out, const pl_send_order_t *order);

/* Counts a send that ends before all copies are stored. */
void pl_send_count(const pl_outcome_t *outcome, bool is_copy_stored);

#endif
