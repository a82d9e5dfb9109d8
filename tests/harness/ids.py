"""The computations that design section 4 allows to integrators: shards of names and ids, times of ids."""

SHARD_SHIFT = 50
EPOCH_MS = 1704067200000


def username_shard(username, shards):
    """FNV-1a, 64 bits, of the lower-cased name, folded, modulo the number of shards."""
    value = 0xCBF29CE484222325
    for byte in username.lower().encode():
        value = ((value ^ byte) * 0x100000001B3) & (1 << 64) - 1
    return (value ^ (value >> 32)) % shards


def shard_of(user_id):
    return int(user_id) >> SHARD_SHIFT


def created_ms(user_id):
    return EPOCH_MS + ((int(user_id) >> 9) & (1 << 41) - 1)


def is_group(user_id):
    return bool((int(user_id) >> 8) & 1)


def sent_timestamp(message_id):
    return int(message_id) // 2


def direction(sender_id, peer_id):
    return 1 if int(sender_id) > int(peer_id) else 0
