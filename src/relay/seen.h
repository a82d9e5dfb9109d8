/* Remembers the outbox keys of the present sweep and of the one before, as hashes, in bounded
 * memory. It may forget a key. It may also take a new key for a known one, if their hashes collide;
 * then the entry is relayed early, which is harmless because follow-ups are idempotent. */
#ifndef PL_RELAY_SEEN_H
#define PL_RELAY_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pl_seen {
    uint64_t *before; /* hashes of the sweep before; 0 is an empty slot */
    uint64_t *now;    /* hashes of the present sweep */
    size_t count;     /* in `now` */
} pl_seen_t;

/* Allocates both tables, which live as long as the process. */
void pl_seen_init(pl_seen_t *seen);

/* Adds the key to the present sweep. Returns true if the sweep before had it too. */
bool pl_seen_add(pl_seen_t *seen, int64_t recipient_id, int64_t sender_id, int64_t message_id);

/* Ends the present sweep, which becomes the one before, and begins an empty one. */
void pl_seen_end_sweep(pl_seen_t *seen);

#endif
