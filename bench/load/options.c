#include "load/options.h"

#include <argp.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const char *argp_program_version = "parley-load " PL_VERSION;

#define THREADS_MAX 64
#define CONNECTIONS_MAX 1000000
#define STREAMS_MAX 10000
#define CONTENT_MAX 65535
#define SECONDS_DEFAULT 10

/* Keys beyond the characters: argp then has no short forms. */
enum {
    KEY_PROTOCOL = 256,
    KEY_KIND,
    KEY_CONNECTIONS,
    KEY_STREAMS,
    KEY_THREADS,
    KEY_USERS,
    KEY_PEERS,
    KEY_ZIPF,
    KEY_CONTENT_BYTES,
    KEY_RATE,
    KEY_SECONDS,
    KEY_WARMUP,
    KEY_VALIDATE,
    KEY_RECEIVERS,
};

static const struct argp_option descriptions[] = {
    {"kind", KEY_KIND, "KIND", 0,
     "send, conversations or messages: that request again and again; receipts: each reads a "
     "conversation to its end; groups: each sends to the user's group; presence: each user in turn "
     "announces to be online; streams: open event streams and hold them until standard input or "
     "--seconds ends; push: send to users who listen, and measure the way to them",
     0},
    {"users", KEY_USERS, "FILE", 0,
     "A line \"userId token\" for each user; for groups, \"userId token groupId\"", 0},
    {"protocol", KEY_PROTOCOL, "h1|h2c", 0, "Default h1", 0},
    {"connections", KEY_CONNECTIONS, "N", 0, "Of all threads together (default 1)", 0},
    {"streams", KEY_STREAMS, "N", 0, "h2c: requests at once on each connection (default 1)", 0},
    {"threads", KEY_THREADS, "N", 0, "Default 1", 0},
    {"peers", KEY_PEERS, "N", 0,
     "A user's requests concern one of the N users that follow in the file (default 10)", 0},
    {"zipf", KEY_ZIPF, NULL, 0,
     "User i, and the peer i places behind a user, have a weight of about 1/i (default: equal)", 0},
    {"content-bytes", KEY_CONTENT_BYTES, "N", 0, "Of a message (default 160)", 0},
    {"rate", KEY_RATE, "R", 0,
     "Requests per second at fixed times, and latency from these (default: each connection or "
     "stream sends its next when it has its answer)",
     0},
    {"seconds", KEY_SECONDS, "S", 0, "How long requests count (default 10)", 0},
    {"warmup", KEY_WARMUP, "S", 0, "How long before that they do not (default 0)", 0},
    {"validate", KEY_VALIDATE, NULL, 0, "A read that is no 200 or is empty has failed", 0},
    {"receivers", KEY_RECEIVERS, "N", 0, "push: users who listen, spread over all (default 100)",
     0},
    {0},
};

static uint32_t parse_count(struct argp_state *state, const char *value, long max)
{
    char *end;
    long count = strtol(value, &end, 10);

    if (*end != '\0' || end == value || count < 1 || count > max)
        argp_error(state, "'%s' is no number from 1 to %ld", value, max);
    return (uint32_t)count;
}

static double parse_number(struct argp_state *state, const char *value)
{
    char *end;
    double number = strtod(value, &end);

    if (*end != '\0' || end == value || !(number >= 0 && number < 1e9))
        argp_error(state, "'%s' is no number from 0", value);
    return number;
}

static pl_load_kind_t parse_kind(struct argp_state *state, const char *value)
{
    static const char *const names[] = {
        [PL_LOAD_SEND] = "send",         [PL_LOAD_CONVERSATIONS] = "conversations",
        [PL_LOAD_MESSAGES] = "messages", [PL_LOAD_STREAMS] = "streams",
        [PL_LOAD_PUSH] = "push",         [PL_LOAD_RECEIPTS] = "receipts",
        [PL_LOAD_PRESENCE] = "presence", [PL_LOAD_GROUPS] = "groups",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(value, names[i]) == 0)
            return (pl_load_kind_t)i;
    argp_error(state, "there is no kind '%s'", value);
    return PL_LOAD_SEND;
}

static bool parse_protocol(struct argp_state *state, const char *value)
{
    if (strcmp(value, "h1") != 0 && strcmp(value, "h2c") != 0)
        argp_error(state, "there is no protocol '%s'", value);
    return strcmp(value, "h2c") == 0;
}

/* Parses http://HOST:PORT; the host's first address is used. */
static void parse_url(struct argp_state *state, pl_load_options_t *options, const char *url)
{
    static const char scheme[] = "http://";
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (options->authority != NULL || strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        argp_error(state, "give one URL, as http://HOST:PORT");
    options->authority = pl_strdup(url + sizeof(scheme) - 1);
    options->authority[strcspn(options->authority, "/")] = '\0';
    char *host = pl_strdup(options->authority);
    char *colon = strrchr(host, ':');
    if (colon == NULL)
        argp_error(state, "'%s' has no port", url);
    *colon = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        argp_error(state, "'%s' has no address", url);
    memcpy(&options->address, found->ai_addr, found->ai_addrlen);
    options->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    free(host);
}

static void check(struct argp_state *state, pl_load_options_t *options)
{
    if (options->authority == NULL || options->users_file == NULL)
        argp_error(state, "give a URL, and users");
    if (!options->h2 && options->streams != 1)
        argp_error(state, "--streams is for h2c");
    if (options->threads > options->connections)
        argp_error(state, "there are more threads than connections");
    if (options->kind == PL_LOAD_PUSH && options->rate <= 0)
        argp_error(state, "--kind push needs a --rate");
    if (options->kind == PL_LOAD_PUSH && options->threads > options->receivers)
        argp_error(state, "there are more threads than receivers");
    if (options->seconds < 0 && options->kind != PL_LOAD_STREAMS)
        options->seconds = SECONDS_DEFAULT;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    pl_load_options_t *options = state->input;

    switch (key) {
    case KEY_PROTOCOL:
        options->h2 = parse_protocol(state, value);
        return 0;
    case KEY_KIND:
        options->kind = parse_kind(state, value);
        return 0;
    case KEY_CONNECTIONS:
        options->connections = parse_count(state, value, CONNECTIONS_MAX);
        return 0;
    case KEY_STREAMS:
        options->streams = parse_count(state, value, STREAMS_MAX);
        return 0;
    case KEY_THREADS:
        options->threads = parse_count(state, value, THREADS_MAX);
        return 0;
    case KEY_USERS:
        options->users_file = value;
        return 0;
    case KEY_PEERS:
        options->peers = parse_count(state, value, INT32_MAX);
        return 0;
    case KEY_ZIPF:
        options->zipf = true;
        return 0;
    case KEY_CONTENT_BYTES:
        options->content_bytes = parse_count(state, value, CONTENT_MAX);
        return 0;
    case KEY_RATE:
        options->rate = parse_number(state, value);
        return 0;
    case KEY_SECONDS:
        options->seconds = parse_number(state, value);
        return 0;
    case KEY_WARMUP:
        options->warmup = parse_number(state, value);
        return 0;
    case KEY_VALIDATE:
        options->validate = true;
        return 0;
    case KEY_RECEIVERS:
        options->receivers = parse_count(state, value, INT32_MAX);
        return 0;
    case ARGP_KEY_ARG:
        parse_url(state, options, value);
        return 0;
    case ARGP_KEY_END:
        check(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void pl_load_options_parse(pl_load_options_t *options, int argc, char **argv)
{
    static const struct argp parser = {descriptions,
                                       parse_option,
                                       "URL",
                                       "Sends requests to parleyd, and prints what it measured "
                                       "as JSON.",
                                       NULL,
                                       NULL,
                                       NULL};

    *options = (pl_load_options_t){
        .kind = PL_LOAD_SEND,
        .threads = 1,
        .connections = 1,
        .streams = 1,
        .peers = 10,
        .receivers = 100,
        .content_bytes = 160,
        .seconds = -1,
    };
    argp_parse(&parser, argc, argv, 0, NULL, options);
}
