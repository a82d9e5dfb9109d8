/*
 * Storing one copy of a message: the operation behind sendMessage and the relay.
 *
 * The primary copy (message_id 0) goes to the recipient's mailbox, which orders, dedupes and
 * assigns the id. `copy_mode` says how the sender's copy follows. A sender's copy (message_id > 0)
 * goes to the sender's mailbox and is idempotent. Many of both are one call of
 * parley.write_messages (sql/write_messages.sql), in one transaction.
 */
#ifndef PL_STORE_MESSAGE_WRITE_H
#define PL_STORE_MESSAGE_WRITE_H

#include <stdint.h>

#include "db/op.h"
#include "store/conversation.h"

enum pl_copy_mode {
    PL_COPY_NONE = 0,
    PL_COPY_HERE = 1,   /* the sender's mailbox is in the same database: in the same transaction */
    PL_COPY_OUTBOX = 2, /* by an outbox entry, later */
};

enum pl_write_status {
    PL_WRITE_STORED = 0,
    PL_WRITE_DUPLICATE = 1, /* it existed with the same content: nothing has changed */
    PL_WRITE_REUSED = 2,    /* the key was used for other content: nothing has changed */
    PL_WRITE_GONE = 3,      /* the recipient is erased: nothing has changed */
    PL_WRITE_BLOCKED = 4,   /* the recipient has blocked the sender: nothing has changed */
};

/* The change of one mailbox by a batch, for one of its operations. */
typedef struct pl_mailbox_change {
    int64_t version;                      /* of the row that this operation wrote */
    int64_t mailbox_previous;             /* the mailbox's version before the batch */
    int64_t mailbox_version;              /* and after it */
    bool has_conversation;                /* `conversation` is set: the mailbox has waiters */
    pl_conversation_state_t conversation; /* after the batch */
} pl_mailbox_change_t;

typedef struct pl_message_write {
    pl_op_t op; /* by pl_message_write_init */

    int64_t mailbox_id;
    int64_t peer_id;
    int64_t sender_id;
    int64_t message_id;  /* 0: assigned here */
    int64_t received_us; /* when the send reached the server: pl_clock_now_us */
    enum pl_copy_mode copy_mode;
    bool has_waiters;        /* the mailbox has waiters, who need the conversation row */
    bool sender_has_waiters; /* with PL_COPY_HERE: the same for the sender's mailbox */
    const char *client_message_id;
    size_t client_message_id_len;
    const char *content; /* valid UTF-8 without NUL */
    size_t content_len;
    const char *extra; /* the row's `extra` (sql/README.md), NULL for nearly all */
    size_t extra_len;

    /* The answer. */
    enum pl_write_status status;
    int64_t stored_id; /* the message's id, assigned now or by an earlier send */
    pl_mailbox_change_t change;
    pl_mailbox_change_t copy_change; /* with PL_COPY_HERE, if stored: of the sender's mailbox */

    /* For the batch: the indexes of the two mailboxes in it. */
    size_t mailbox_index;
    size_t copy_mailbox_index;
} pl_message_write_t;

/* Sets the operation's members except its deadline and `on_done`. The ids and the client's id are
 * set already. */
void pl_message_write_init(pl_message_write_t *write);

extern const pl_op_kind_t pl_message_write_kind;

/* A mailbox that a committed transaction has changed. */
typedef struct pl_mailbox_wake {
    int64_t user_id;
    int64_t previous; /* the version before */
    int64_t version;  /* and after */
} pl_mailbox_wake_t;

/* Learns of committed writes: it is the context of the cluster's lanes. Both functions run on the
 * lane's thread before the operations are done, and copy what they need. */
typedef struct pl_commit_listener {
    /* Messages were written: pl_message_write_t. */
    void (*on_commit)(struct pl_commit_listener *listener, pl_op_t *const *writes, size_t count);
    /* Mailboxes have changed in another way (store/change.h): waiters have to read them. */
    void (*on_change)(struct pl_commit_listener *listener, const pl_mailbox_wake_t *wakes,
                      size_t count);
} pl_commit_listener_t;

static inline const pl_message_write_t *pl_message_write_of(const pl_op_t *op)
{
    return (const pl_message_write_t *)op; /* its first member */
}

#endif
