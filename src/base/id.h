/* User, group, conversation and message identifiers (design.md, section 4).
 *
 * userId and groupId: 13 bits shard | 41 bits ms since 2024-01-01 | 1 bit kind | 8 bits sequence.
 * So an id contains its shard, and a shard is a range of ids. All ids are positive int64_t.
 * messageId: microseconds since 1970 * 2 + direction (1: the sender is the higher user id).
 */
#ifndef PL_BASE_ID_H
#define PL_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define PL_ID_SHARD_SHIFT 50
#define PL_ID_TIME_SHIFT 9
#define PL_ID_EPOCH_MS INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define PL_SHARDS_MAX 8192

/* Room for the decimal form and a NUL. */
#define PL_ID_TEXT_SIZE 20
#define PL_CONVERSATION_ID_TEXT_SIZE 40

enum pl_id_kind { PL_ID_USER = 0, PL_ID_GROUP = 1 };

/* shard < PL_SHARDS_MAX; ms_since_2024 below 2^41; sequence below 256: asserted. */
int64_t pl_id_make(unsigned shard, int64_t ms_since_2024, enum pl_id_kind kind, unsigned sequence);

/* Makes a new id from the present time. Calls in one process never return the same id. Two
 * processes may collide, with a chance of 1 in 256 for the same millisecond, shard and kind; the
 * insert finds this, and the caller tries another id. Thread-safe. */
int64_t pl_id_next(unsigned shard, enum pl_id_kind kind);

static inline unsigned pl_id_shard(int64_t id)
{
    return (unsigned)((uint64_t)id >> PL_ID_SHARD_SHIFT);
}

/* The creation time of the user or group: microseconds since 1970, in whole milliseconds. */
static inline int64_t pl_id_created_us(int64_t id)
{
    return (PL_ID_EPOCH_MS + (id >> PL_ID_TIME_SHIFT & ((INT64_C(1) << 41) - 1))) * 1000;
}

static inline bool pl_id_is_group(int64_t id)
{
    return (id >> 8 & 1) == PL_ID_GROUP;
}

/* Parses a strict decimal number from 1 to 2^63-1: no sign, no space, no leading zero. Returns 0;
 * or -1 without a change of *id_r. */
int pl_id_parse(const char *text, size_t len, int64_t *id_r) PL_MUST_USE;

/* The same for numbers from 0 to max: query parameters and cursors. */
int pl_decimal_parse(const char *text, size_t len, int64_t max, int64_t *value_r) PL_MUST_USE;

/* Writes the decimal form and a NUL; returns its length without the NUL. id >= 0. */
size_t pl_id_format(char out[PL_ID_TEXT_SIZE], int64_t id);

/* Parses "<lower>-<higher>" with the ids of two users, "<id>-<id>" for a user's notes to
 * themselves, or one group id. Returns 1 for users, with *low_r <= *high_r; 2 for a group, with its
 * id in *low_r and *high_r = 0; -1 for anything else: a malformed id, users in the wrong order, a
 * group id in a pair, a single user id. Then *low_r and *high_r do not change. */
int pl_conversation_id_parse(const char *text, size_t len, int64_t *low_r,
                             int64_t *high_r) PL_MUST_USE;

/* Whether it would be a 1:1's id with its two users in the other order; a hint for the client. */
bool pl_conversation_id_is_swapped(const char *text, size_t len);

/* The id of user_id's conversation with peer_id (a user, in either order, or a group). Writes a
 * NUL; returns the length without it. */
size_t pl_conversation_id_format(char out[PL_CONVERSATION_ID_TEXT_SIZE], int64_t user_id,
                                 int64_t peer_id);

/* Home shard of a new user: fold(FNV-1a-64 of the name with A-Z lower-cased) mod shards, where
 * fold(h) = h ^ (h >> 32). It must never change, because a login finds the user's shard by it.
 * shards > 0. */
unsigned pl_username_shard(const char *name, size_t len, unsigned shards);

/* sentTimestamp: microseconds since 1970. */
static inline int64_t pl_message_id_timestamp(int64_t message_id)
{
    return message_id >> 1;
}

#endif
