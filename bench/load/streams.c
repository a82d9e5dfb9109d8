#include "load/streams.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "load/stop.h"

/* Unanswered streams of all threads: enough that the server is never idle, too few to flood it. */
#define OPENING_MAX 64

struct pl_load_stream {
    pl_load_streams_t *owner;
    pl_buffer_t line; /* an incomplete line */
    bool open;
};

/* Reads "SEQUENCE-TIME" and returns its end. */
static const char *read_message(pl_load_streams_t *streams, const char *text, const char *end,
                                int64_t now_us)
{
    uint64_t sequence = 0;
    uint64_t intended_us = 0;

    for (; text < end && *text >= '0' && *text <= '9'; text++)
        sequence = sequence * 10 + (uint64_t)(*text - '0');
    if (text == end || *text++ != '-')
        return text;
    for (; text < end && *text >= '0' && *text <= '9'; text++)
        intended_us = intended_us * 10 + (uint64_t)(*text - '0');
    streams->on_message(streams->message_owner, sequence, (int64_t)intended_us, now_us);
    return text;
}

static void read_line(pl_load_stream_t *stream, const char *line, size_t len)
{
    pl_load_streams_t *streams = stream->owner;
    const char *end = line + len;

    if (len < 5 || memcmp(line, "data:", 5) != 0)
        return;
    streams->result->events++;
    if (!stream->open) {
        stream->open = true;
        streams->opening--;
        streams->open++;
    }
    if (streams->on_message == NULL)
        return;
    int64_t now_us = pl_clock_monotonic_us();
    while ((line = memmem(line, (size_t)(end - line), streams->needle, streams->needle_len)) !=
           NULL)
        line = read_message(streams, line + streams->needle_len, end, now_us);
}

static void on_body(pl_load_slot_t *slot, const char *data, size_t len)
{
    pl_load_stream_t *stream = slot->owner_data;
    const char *end = data + len;
    const char *newline;

    if (slot->status != 200)
        return;
    while ((newline = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        if (stream->line.len == 0) {
            read_line(stream, data, (size_t)(newline - data));
        } else {
            pl_buffer_append(&stream->line, data, (size_t)(newline - data));
            read_line(stream, stream->line.data, stream->line.len);
            pl_buffer_clear(&stream->line);
        }
        data = newline + 1;
    }
    pl_buffer_append(&stream->line, data, (size_t)(end - data));
}

static void on_done(pl_load_slot_t *slot, bool lost)
{
    pl_load_stream_t *stream = slot->owner_data;
    pl_load_streams_t *streams = stream->owner;

    (void)lost;
    if (stream->open) {
        stream->open = false;
        streams->open--;
        streams->result->streams_closed++;
    } else {
        streams->opening--;
        streams->result->streams_refused++;
    }
}

static const pl_load_conn_callbacks_t callbacks = {.on_body = on_body, .on_done = on_done};

void pl_load_streams_init(pl_load_streams_t *streams, const pl_load_options_t *options,
                          const pl_load_generator_t *generator, pl_load_result_t *result, int epoll,
                          uint32_t *users, uint32_t count)
{
    static const char before[] = "\"clientMessageId\":\"";
    pl_buffer_t needle = PL_BUFFER_EMPTY;

    *streams = (pl_load_streams_t){
        .generator = generator,
        .result = result,
        .group = {.options = options, .callbacks = &callbacks, .owner = streams, .epoll = epoll},
        .conns = pl_calloc(count / options->streams + 1, sizeof(pl_load_conn_t *)),
        .streams = pl_calloc(count, sizeof(pl_load_stream_t)),
        .users = users,
        .count = count,
    };
    pl_buffer_append_text(&needle, before);
    pl_buffer_append(&needle, generator->run, generator->run_len);
    streams->needle = pl_buffer_detach(&needle, &streams->needle_len);
}

void pl_load_streams_dispose(pl_load_streams_t *streams)
{
    uint32_t on_each = streams->group.options->streams;

    for (uint32_t i = 0; i * on_each < streams->begun; i++)
        pl_load_conn_destroy(&streams->conns[i]);
    for (uint32_t i = 0; i < streams->count; i++)
        pl_buffer_dispose(&streams->streams[i].line);
    free(streams->conns);
    free(streams->streams);
    free((void *)streams->users);
    free(streams->needle);
}

void pl_load_streams_listen(pl_load_streams_t *streams, pl_load_message_fn on_message, void *owner)
{
    streams->on_message = on_message;
    streams->message_owner = owner;
}

static void begin(pl_load_streams_t *streams, uint32_t i)
{
    uint32_t on_each = streams->group.options->streams;
    pl_load_conn_t **conn = &streams->conns[i / on_each];
    pl_load_request_t request;

    if (*conn == NULL)
        *conn = pl_load_conn_create(&streams->group, on_each);
    streams->streams[i].owner = streams;
    (*conn)->slots[i % on_each].owner_data = &streams->streams[i];
    streams->opening++;
    pl_load_generator_stream(streams->generator, streams->users[i], &request);
    pl_load_conn_submit(&(*conn)->slots[i % on_each], &request);
}

void pl_load_streams_open(pl_load_streams_t *streams)
{
    uint32_t most = OPENING_MAX / streams->group.options->threads + 1;

    while ((streams->begun < streams->count || streams->opening > 0) && !pl_load_is_stopped()) {
        while (streams->begun < streams->count && streams->opening < most) {
            begin(streams, streams->begun);
            streams->begun++;
        }
        pl_load_conn_flush_all(&streams->group);
        pl_load_conn_wait(streams->group.epoll, INT64_MAX);
    }
}

void pl_load_streams_hold(pl_load_streams_t *streams, int64_t until_us)
{
    while (pl_clock_monotonic_us() < until_us && !pl_load_is_stopped()) {
        pl_load_conn_wait(streams->group.epoll, until_us);
        pl_load_conn_flush_all(&streams->group);
    }
}

void pl_load_streams_count(pl_load_streams_t *streams)
{
    streams->result->streams_wanted = streams->count;
    streams->result->streams_open = streams->open;
    streams->result->bytes_received += streams->group.bytes_received;
    streams->group.bytes_received = 0;
}
