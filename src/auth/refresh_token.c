#include "auth/refresh_token.h"

#include <sodium.h>
#include <string.h>

/* user, session, generation, secret */
#define BYTES (8 + 8 + 4 + PL_REFRESH_SECRET_BYTES)
/* An older token is not recognised, and just refused. A step takes about a microsecond. */
#define STEPS_MAX 1024

_Static_assert(sodium_base64_ENCODED_LEN(BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING) ==
                   PL_REFRESH_TEXT_SIZE,
               "");
_Static_assert(crypto_auth_hmacsha256_BYTES == PL_REFRESH_SECRET_BYTES, "");
_Static_assert(crypto_auth_hmacsha256_KEYBYTES == PL_REFRESH_SECRET_BYTES, "");
_Static_assert(crypto_hash_sha256_BYTES * 2 + 1 == PL_REFRESH_HEX_SIZE, "");

void pl_refresh_secret_make(unsigned char secret_r[PL_REFRESH_SECRET_BYTES])
{
    randombytes_buf(secret_r, PL_REFRESH_SECRET_BYTES);
}

void pl_refresh_salt_make(char salt_r[PL_REFRESH_HEX_SIZE])
{
    unsigned char salt[PL_REFRESH_SECRET_BYTES];

    randombytes_buf(salt, sizeof(salt));
    sodium_bin2hex(salt_r, PL_REFRESH_HEX_SIZE, salt, sizeof(salt));
    sodium_memzero(salt, sizeof(salt));
}

static void put(unsigned char *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const unsigned char *in, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | in[i];
    return value;
}

void pl_refresh_token_format(const pl_refresh_token_t *token, char text_r[PL_REFRESH_TEXT_SIZE])
{
    unsigned char bytes[BYTES];

    put(bytes, (uint64_t)token->user_id, 8);
    put(bytes + 8, (uint64_t)token->session_id, 8);
    put(bytes + 16, (uint32_t)token->generation, 4);
    memcpy(bytes + 20, token->secret, sizeof(token->secret));
    sodium_bin2base64(text_r, PL_REFRESH_TEXT_SIZE, bytes, sizeof(bytes),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof(bytes));
}

int pl_refresh_token_parse(const char *text, size_t len, pl_refresh_token_t *token_r)
{
    unsigned char bytes[BYTES];
    size_t bytes_len;

    if (sodium_base642bin(bytes, sizeof(bytes), text, len, NULL, &bytes_len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        bytes_len != sizeof(bytes))
        return -1;
    token_r->user_id = (int64_t)get(bytes, 8);
    token_r->session_id = (int64_t)get(bytes + 8, 8);
    token_r->generation = (int32_t)get(bytes + 16, 4);
    memcpy(token_r->secret, bytes + 20, sizeof(token_r->secret));
    sodium_memzero(bytes, sizeof(bytes));
    return token_r->user_id > 0 && token_r->session_id > 0 && token_r->generation >= 0 ? 0 : -1;
}

void pl_refresh_token_hash(const pl_refresh_token_t *token, char hash_r[PL_REFRESH_HEX_SIZE])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, token->secret, sizeof(token->secret));
    sodium_bin2hex(hash_r, PL_REFRESH_HEX_SIZE, hash, sizeof(hash));
}

int pl_refresh_token_next(const pl_refresh_token_t *token, const char *salt,
                          pl_refresh_token_t *next_r)
{
    unsigned char key[crypto_auth_hmacsha256_KEYBYTES];
    unsigned char secret[PL_REFRESH_SECRET_BYTES];
    size_t key_len;

    if (sodium_hex2bin(key, sizeof(key), salt, strlen(salt), NULL, &key_len, NULL) != 0 ||
        key_len != sizeof(key))
        return -1;
    crypto_auth_hmacsha256(secret, token->secret, sizeof(token->secret), key);
    *next_r = *token;
    next_r->generation++;
    memcpy(next_r->secret, secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(key, sizeof(key));
    return 0;
}

/* Whether the token is of the session's chain: its successors lead to the present one. */
static int is_of_chain(const pl_refresh_token_t *token, const pl_refresh_state_t *state)
{
    pl_refresh_token_t last = *token;
    char hash[PL_REFRESH_HEX_SIZE];

    while (last.generation < state->generation)
        if (pl_refresh_token_next(&last, state->salt, &last) != 0)
            return 0;
    pl_refresh_token_hash(&last, hash);
    sodium_memzero(&last, sizeof(last));
    return strlen(state->current_hash) == sizeof(hash) - 1 &&
           sodium_memcmp(hash, state->current_hash, sizeof(hash) - 1) == 0;
}

/* The successor was used first when the generation after it began. */
static int is_in_grace(int32_t age, const pl_refresh_state_t *state)
{
    size_t at = (size_t)age - 2;

    return age == 1 || (at < state->rotations_count &&
                        state->now_us - state->rotations_us[at] <= PL_REFRESH_GRACE_US);
}

enum pl_refresh_use pl_refresh_token_judge(const pl_refresh_token_t *token,
                                           const pl_refresh_state_t *state)
{
    int32_t age = state->generation - token->generation;

    if (age < 0 || age > STEPS_MAX || !is_of_chain(token, state))
        return PL_REFRESH_UNKNOWN;
    if (age == 0)
        return PL_REFRESH_CURRENT;
    return is_in_grace(age, state) ? PL_REFRESH_REPEATED : PL_REFRESH_REUSED;
}
