#include "base/id.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"

#define TIME_BITS (PL_ID_SHARD_SHIFT - PL_ID_TIME_SHIFT)
#define SEQUENCE_BITS 8

int64_t pl_id_make(unsigned shard, int64_t ms_since_2024, enum pl_id_kind kind, unsigned sequence)
{
    assert(shard < PL_SHARDS_MAX);
    assert(ms_since_2024 >= 0 && ms_since_2024 < INT64_C(1) << TIME_BITS);
    assert(sequence < 1u << SEQUENCE_BITS);
    return (int64_t)shard << PL_ID_SHARD_SHIFT | ms_since_2024 << PL_ID_TIME_SHIFT |
           (int64_t)kind << SEQUENCE_BITS | (int64_t)sequence;
}

int64_t pl_id_next(unsigned shard, enum pl_id_kind kind)
{
    /* Milliseconds and sequence form one number: if there are more than 256 ids in a millisecond,
     * it runs ahead of the time and does not repeat. In a new millisecond the sequence starts at a
     * random number, so that two servers seldom make the same id. */
    static _Atomic int64_t latest;
    int64_t ms = pl_clock_now_us() / 1000 - PL_ID_EPOCH_MS;
    assert(ms >= 0);
    int64_t fresh = ms << SEQUENCE_BITS | (int64_t)pl_random_below(1u << SEQUENCE_BITS);
    int64_t last = atomic_load(&latest);
    int64_t next;
    do {
        next = fresh > last ? fresh : last + 1;
    } while (!atomic_compare_exchange_weak(&latest, &last, next));
    return pl_id_make(shard, next >> SEQUENCE_BITS, kind, (unsigned)(next & 0xff));
}

int pl_decimal_parse(const char *text, size_t len, int64_t max, int64_t *value_r)
{
    if (len == 0 || len > 19 || (text[0] == '0' && len > 1))
        return -1;
    uint64_t value = 0; /* 19 digits fit in 64 bits without a sign */
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value > INT64_MAX || (int64_t)value > max)
        return -1;
    *value_r = (int64_t)value;
    return 0;
}

int pl_id_parse(const char *text, size_t len, int64_t *id_r)
{
    if (len > 0 && text[0] == '0')
        return -1;
    return pl_decimal_parse(text, len, INT64_MAX, id_r);
}

size_t pl_id_format(char out[PL_ID_TEXT_SIZE], int64_t id)
{
    assert(id >= 0);
    char digits[PL_ID_TEXT_SIZE];
    size_t at = sizeof(digits);
    uint64_t rest = (uint64_t)id;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    size_t len = sizeof(digits) - at;
    memcpy(out, digits + at, len);
    out[len] = '\0';
    return len;
}

int pl_conversation_id_parse(const char *text, size_t len, int64_t *low_r, int64_t *high_r)
{
    int64_t low, high;
    const char *hyphen = len > 0 ? memchr(text, '-', len) : NULL;
    if (hyphen == NULL) {
        if (pl_id_parse(text, len, &low) < 0 || !pl_id_is_group(low))
            return -1;
        *low_r = low;
        *high_r = 0;
        return 2;
    }
    size_t low_len = (size_t)(hyphen - text);
    if (pl_id_parse(text, low_len, &low) < 0 ||
        pl_id_parse(hyphen + 1, len - low_len - 1, &high) < 0 || low > high ||
        pl_id_is_group(low) || pl_id_is_group(high))
        return -1;
    *low_r = low;
    *high_r = high;
    return 1;
}

bool pl_conversation_id_is_swapped(const char *text, size_t len)
{
    int64_t first, second;
    const char *hyphen = len > 0 ? memchr(text, '-', len) : NULL;
    if (hyphen == NULL)
        return false;
    size_t first_len = (size_t)(hyphen - text);
    return pl_id_parse(text, first_len, &first) == 0 &&
           pl_id_parse(hyphen + 1, len - first_len - 1, &second) == 0 && first > second;
}

size_t pl_conversation_id_format(char out[PL_CONVERSATION_ID_TEXT_SIZE], int64_t user_id,
                                 int64_t peer_id)
{
    if (pl_id_is_group(peer_id))
        return pl_id_format(out, peer_id);
    size_t len = pl_id_format(out, user_id < peer_id ? user_id : peer_id);
    out[len++] = '-';
    return len + pl_id_format(out + len, user_id < peer_id ? peer_id : user_id);
}

unsigned pl_username_shard(const char *name, size_t len, unsigned shards)
{
    assert(shards > 0);
    uint64_t hash = PL_HASH64_START;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        hash = pl_hash64_continue(hash, &c, 1);
    }
    return (unsigned)((hash ^ hash >> 32) % shards);
}
