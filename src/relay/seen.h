/* The outbox keys of this sweep and of the one before, as hashes: a bounded memory that may forget
 * and never invents more than a hash collision does, which costs a copy that is there already. */
#ifndef PL_RELAY_SEEN_H
#define PL_RELAY_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pl_seen {
    uint64_t *before; /* 0 is an empty slot */
    uint64_t *now;
    size_t count; /* in `now` */
} pl_seen_t;

void pl_seen_init(pl_seen_t *seen);

/* Notes the key and tells whether the sweep before had it. */
bool pl_seen_add(pl_seen_t *seen, int64_t recipient_id, int64_t sender_id, int64_t message_id);

/* A sweep is over: what it has seen is what was seen before. */
void pl_seen_turn(pl_seen_t *seen);

#endif
