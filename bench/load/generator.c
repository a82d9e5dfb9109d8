#include "load/generator.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "load/zipf.h"

static const char conversations_path[] = "/v1/conversations?pageSize=20";
static const char messages_path[] = "/v1/messages";
static const char stream_path[] = "/v1/updates/stream";
static const char presence_path[] = "/v1/presence";

size_t pl_load_decimal(char *to, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(to, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}

static void append_decimal(pl_buffer_t *out, uint64_t value)
{
    out->len += pl_load_decimal(pl_buffer_reserve(out, 20), value);
}

void pl_load_generator_init(pl_load_generator_t *generator, const pl_load_options_t *options,
                            const pl_load_users_t *users, uint32_t thread)
{
    static const char content[] = "parley160!";

    *generator = (pl_load_generator_t){
        .options = options,
        .users = users,
        .thread = thread,
    };
    int len = snprintf(generator->run, sizeof(generator->run), "%llx-%llx-%u-",
                       (unsigned long long)pl_clock_now_us() / 1000000,
                       (unsigned long long)pl_random_below(UINT64_C(1) << 24), thread);
    generator->run_len = (size_t)len;
    pl_buffer_append_text(&generator->tail, "\",\"messageContent\":\"");
    for (uint32_t i = 0; i < options->content_bytes; i++)
        pl_buffer_append_char(&generator->tail, content[i % (sizeof(content) - 1)]);
    pl_buffer_append_text(&generator->tail, "\"}");
}

void pl_load_generator_dispose(pl_load_generator_t *generator)
{
    pl_buffer_dispose(&generator->body);
    pl_buffer_dispose(&generator->tail);
}

static void choose_pair(const pl_load_generator_t *generator, const pl_load_user_t **user_r,
                        const pl_load_user_t **peer_r)
{
    const pl_load_users_t *users = generator->users;
    uint32_t user;
    uint32_t step;

    if (generator->options->zipf) {
        user = pl_load_zipf_draw(users->count);
        step = 1 + pl_load_zipf_draw(generator->options->peers);
    } else {
        user = (uint32_t)pl_random_below(users->count);
        step = 1 + (uint32_t)pl_random_below(generator->options->peers);
    }
    *user_r = &users->user[user];
    *peer_r = &users->user[(user + step) % users->count];
}

/* Takes all users evenly, so that few conversations come twice: those would be read already. The
 * last users are left out, so that a part of the users can be a file of its own. */
static void choose_unread(const pl_load_generator_t *generator, const pl_load_user_t **user_r,
                          const pl_load_user_t **peer_r)
{
    const pl_load_users_t *users = generator->users;
    uint32_t user = (uint32_t)pl_random_below(users->count - generator->options->peers);
    uint32_t step = 1 + (uint32_t)pl_random_below(generator->options->peers);

    *user_r = &users->user[user];
    *peer_r = &users->user[user + step];
}

uint32_t pl_load_generator_receiver(const pl_load_generator_t *generator, uint32_t i)
{
    return (uint32_t)((uint64_t)i * generator->users->count / generator->options->receivers);
}

/* Chooses a receiver of this thread, and a sender from the users between it and the next receiver.
 */
static void choose_receiver(const pl_load_generator_t *generator, const pl_load_user_t **user_r,
                            const pl_load_user_t **peer_r)
{
    const pl_load_options_t *options = generator->options;
    const pl_load_users_t *users = generator->users;
    uint32_t own = (options->receivers - generator->thread - 1) / options->threads + 1;
    uint32_t i = (uint32_t)pl_random_below(own) * options->threads + generator->thread;
    uint32_t receiver = pl_load_generator_receiver(generator, i);
    uint32_t gap = users->count / options->receivers - 1;
    uint32_t step = 1 + (uint32_t)pl_random_below(gap < options->peers ? gap : options->peers);

    *user_r = &users->user[(receiver + step) % users->count];
    *peer_r = &users->user[receiver];
}

static void set_path(pl_load_request_t *request, const char *path, size_t len)
{
    request->path = path;
    request->path_len = len;
}

static void make_send(pl_load_generator_t *generator, const char *to, const char *id, size_t id_len,
                      int64_t intended_us, pl_load_request_t *request)
{
    pl_buffer_t *body = &generator->body;

    pl_buffer_clear(body);
    pl_buffer_append_text(body, to);
    pl_buffer_append(body, id, id_len);
    pl_buffer_append_text(body, "\",\"clientMessageId\":\"");
    pl_buffer_append(body, generator->run, generator->run_len);
    append_decimal(body, generator->sequence++);
    if (generator->options->kind == PL_LOAD_PUSH) {
        pl_buffer_append_char(body, '-');
        append_decimal(body, (uint64_t)intended_us);
    }
    pl_buffer_append(body, generator->tail.data, generator->tail.len);
    request->method = "POST";
    set_path(request, messages_path, sizeof(messages_path) - 1);
    request->body = body->data;
    request->body_len = body->len;
}

/* Compares decimal ids: by length, then by text. */
static bool is_lower(const pl_load_user_t *a, const pl_load_user_t *b)
{
    if (a->id_len != b->id_len)
        return a->id_len < b->id_len;
    return memcmp(a->id, b->id, a->id_len) < 0;
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

/* `end`: the text after the conversation's id. */
static void set_conversation_path(pl_load_generator_t *generator, const pl_load_user_t *user,
                                  const pl_load_user_t *peer, const char *end,
                                  pl_load_request_t *request)
{
    static const char begin[] = "/v1/conversations/";
    const pl_load_user_t *low = is_lower(user, peer) ? user : peer;
    const pl_load_user_t *high = low == user ? peer : user;
    char *to = put(generator->path, begin, sizeof(begin) - 1);

    to = put(to, low->id, low->id_len);
    *to++ = '-';
    to = put(to, high->id, high->id_len);
    to = put(to, end, strlen(end));
    set_path(request, generator->path, (size_t)(to - generator->path));
}

static void make_receipt(pl_load_generator_t *generator, const pl_load_user_t *user,
                         const pl_load_user_t *peer, pl_load_request_t *request)
{
    /* The highest possible id: it means the conversation's last message. */
    static const char body[] = "{\"type\":\"read\",\"messageId\":\"9223372036854775807\"}";

    request->method = "POST";
    set_conversation_path(generator, user, peer, "/receipts", request);
    request->body = body;
    request->body_len = sizeof(body) - 1;
}

/* Takes the users in turn, so that each announces equally often; the threads share them. */
static void make_announce(pl_load_generator_t *generator, pl_load_request_t *request)
{
    const pl_load_users_t *users = generator->users;
    uint64_t turn = generator->sequence++ * generator->options->threads + generator->thread;

    request->user = &users->user[turn % users->count];
    request->method = "PUT";
    set_path(request, presence_path, sizeof(presence_path) - 1);
}

void pl_load_generator_next(pl_load_generator_t *generator, int64_t intended_us,
                            pl_load_request_t *request)
{
    const pl_load_user_t *peer;

    *request = (pl_load_request_t){.method = "GET"};
    if (generator->options->kind == PL_LOAD_PUSH)
        choose_receiver(generator, &request->user, &peer);
    else if (generator->options->kind == PL_LOAD_RECEIPTS)
        choose_unread(generator, &request->user, &peer);
    else
        choose_pair(generator, &request->user, &peer);
    switch (generator->options->kind) {
    case PL_LOAD_CONVERSATIONS:
        set_path(request, conversations_path, sizeof(conversations_path) - 1);
        break;
    case PL_LOAD_MESSAGES:
        set_conversation_path(generator, request->user, peer, "/messages?pageSize=50", request);
        break;
    case PL_LOAD_RECEIPTS:
        make_receipt(generator, request->user, peer, request);
        break;
    case PL_LOAD_GROUPS:
        make_send(generator, "{\"conversationId\":\"", request->user->group,
                  request->user->group_len, intended_us, request);
        break;
    case PL_LOAD_PRESENCE:
        make_announce(generator, request);
        break;
    case PL_LOAD_SEND:
    case PL_LOAD_PUSH:
    case PL_LOAD_STREAMS:
        make_send(generator, "{\"recipientId\":\"", peer->id, peer->id_len, intended_us, request);
        break;
    }
}

void pl_load_generator_stream(const pl_load_generator_t *generator, uint32_t user,
                              pl_load_request_t *request)
{
    *request = (pl_load_request_t){.user = &generator->users->user[user], .method = "GET"};
    set_path(request, stream_path, sizeof(stream_path) - 1);
}
