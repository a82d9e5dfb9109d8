/* What a waiter receives: a wake-up because its mailbox has changed, or an ephemeral event. */
#ifndef PL_PUSH_WAKE_H
#define PL_PUSH_WAKE_H

#include <stddef.h>
#include <stdint.h>

/* A mailbox has changed. Valid during the call. */
typedef struct pl_wake {
    int64_t user_id;
    int64_t previous; /* the version before */
    int64_t version;  /* the version now */
    /* The Delta from `previous` to `version` as JSON; NULL if it must be read from the database. */
    const char *delta;
    size_t delta_len;
    size_t messages_count; /* in the delta */
} pl_wake_t;

/* An ephemeral event: it is sent once and stored nowhere. */
typedef struct pl_event {
    const char *name; /* its `type`; a literal */
    const char *json; /* an object */
    size_t len;
} pl_event_t;

#endif
