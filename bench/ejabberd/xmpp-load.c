/* The load for ejabberd: many clients in one thread, each with one message on its way at a time.
 *
 * A client sends a one-to-one message to another of the clients at random, and the next one when
 * the recipient has received it with a <stanza-id/>. ejabberd hands a message over after the INSERT
 * of the recipient's copy, which comes after the INSERT of the sender's copy, so both are
 * committed. The recipient is in this process, so the sender learns of it without another stanza.
 *
 * Prints "ready" when all clients have logged in, starts at a line on its input, and prints one
 * JSON object. It can read what ejabberd writes, not XML in general.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "load/histogram.h"

#define DOMAIN "localhost"

/* A stanza with 160 bytes of text takes 600 bytes; data after the first one is read next time. */
enum { INPUT_BYTES = 8192, BODY_BYTES_MAX = 2048, EVENTS_MAX = 64 };
/* Messages on their way at the end have this long to arrive. */
#define DRAIN_US (5 * INT64_C(1000000))
#define LOGIN_TIMEOUT_S 10

struct client {
    int fd;
    bool waiting;      /* its message is on its way */
    uint64_t sequence; /* of its last message */
    int64_t sent_us;
    size_t length;
    char input[INPUT_BYTES];
};

struct load {
    const char *password, *run;
    unsigned port, client_count, seconds, body_bytes;
    struct client *clients;
    int epoll_fd;
    unsigned waiting_count;
    int64_t begin_us, end_us, last_us;
    uint64_t failed_count;
    pl_load_histogram_t latency; /* us */
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("xmpp-load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* The socket holds no other unread message, so this always fits. */
static void send_all(struct client *client, const char *data, size_t length)
{
    if (send(client->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("cannot send: %s", strerror(errno));
}

/* --- logging in, one client after the other, with blocking calls --- */

/* Reads until the needle arrives, and discards everything that was read. */
static void await(struct client *client, const char *needle)
{
    client->length = 0;
    while (memmem(client->input, client->length, needle, strlen(needle)) == NULL) {
        size_t room = sizeof(client->input) - client->length;
        ssize_t n = recv(client->fd, client->input + client->length, room, 0);
        if (n <= 0)
            die("no '%s' from the server, but: %.*s", needle, (int)client->length, client->input);
        client->length += (size_t)n;
    }
    client->length = 0;
}

static void base64(const unsigned char *data, size_t length, char *text_r)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16;
        group |= i + 1 < length ? (uint32_t)data[i + 1] << 8 : 0;
        group |= i + 2 < length ? data[i + 2] : 0;
        *text_r++ = digits[group >> 18];
        *text_r++ = digits[group >> 12 & 63];
        *text_r++ = i + 1 < length ? digits[group >> 6 & 63] : '=';
        *text_r++ = i + 2 < length ? digits[group & 63] : '=';
    }
    *text_r = '\0';
}

static void connect_client(struct load *load, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = LOGIN_TIMEOUT_S};
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("cannot connect: %s", strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

static void log_in(struct load *load, unsigned index)
{
    static const char header[] =
        "<stream:stream to='" DOMAIN
        "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    static const char bind[] = "<iq type='set' id='bind'><bind "
                               "xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    struct client *client = &load->clients[index];
    char credentials[128], encoded[256], text[512];

    connect_client(load, client);
    send_all(client, header, strlen(header));
    await(client, "</stream:features>");
    int length = snprintf(credentials, sizeof(credentials), "%cu%04u%c%s", 0, index, 0, //
                          load->password);
    if (length < 0 || (size_t)length >= sizeof(credentials))
        die("the password is too long");
    base64((unsigned char *)credentials, (size_t)length, encoded);
    length = snprintf(text, sizeof(text),
                      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>",
                      encoded);
    send_all(client, text, (size_t)length);
    await(client, "<success");
    send_all(client, header, strlen(header));
    await(client, "</stream:features>");
    send_all(client, bind, strlen(bind));
    await(client, "</iq>");
    /* The server echoes it as soon as the session accepts messages for the user. */
    send_all(client, "<presence/>", strlen("<presence/>"));
    await(client, "<presence");

    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

/* --- the load --- */

/* The id is also the first word of the text, so that both rows can be found in the archive. */
static void send_message(struct load *load, struct client *client, int64_t now)
{
    static const char filling[] = "parley160!";
    unsigned sender = (unsigned)(client - load->clients);
    unsigned recipient = (unsigned)pl_random_below(load->client_count - 1);
    char id[64], body[BODY_BYTES_MAX + 1], text[BODY_BYTES_MAX + 512];

    recipient += recipient >= sender;
    client->sequence++;
    size_t length = (size_t)snprintf(id, sizeof(id), "%s-%u-%" PRIu64, load->run, sender, //
                                     client->sequence);
    memcpy(body, id, length);
    body[length++] = ' ';
    for (size_t i = 0; length < load->body_bytes; i++)
        body[length++] = filling[i % strlen(filling)];
    body[length] = '\0';
    length = (size_t)snprintf(text, sizeof(text),
                              "<message to='u%04u@" DOMAIN
                              "' type='chat' id='%s'><body>%s</body></message>",
                              recipient, id, body);
    send_all(client, text, length);
    client->sent_us = now;
    client->waiting = true;
    load->waiting_count++;
}

/* The client whose message on its way has this id; NULL for a message of an earlier run. */
static struct client *sender_of(struct load *load, const char *tag, size_t length)
{
    static const char name[] = " id='";
    size_t run_length = strlen(load->run);
    const char *id = memmem(tag, length, name, strlen(name));
    if (id == NULL)
        return NULL;
    id += strlen(name);
    if (strncmp(id, load->run, run_length) != 0 || id[run_length] != '-')
        return NULL;
    char *end;
    unsigned long index = strtoul(id + run_length + 1, &end, 10);
    if (index >= load->client_count || *end != '-')
        return NULL;
    struct client *sender = &load->clients[index];
    uint64_t sequence = strtoull(end + 1, &end, 10);
    return sender->waiting && sequence == sender->sequence ? sender : NULL;
}

/* Handles a whole <message>...</message>. It failed if it came back as an error or was not
 * archived. */
static void on_message(struct load *load, const char *stanza, size_t length)
{
    const char *tag_end = memchr(stanza, '>', length);
    size_t tag_length = (size_t)(tag_end - stanza);
    struct client *sender = sender_of(load, stanza, tag_length);
    if (sender == NULL)
        return;
    int64_t now = pl_clock_monotonic_us();
    if (memmem(stanza, tag_length, " type='error'", strlen(" type='error'")) != NULL ||
        memmem(tag_end, length - tag_length, "<stanza-id ", strlen("<stanza-id ")) == NULL)
        load->failed_count++;
    else
        pl_load_histogram_add(&load->latency, now - sender->sent_us);
    load->last_us = now;
    sender->waiting = false;
    load->waiting_count--;
    if (now < load->end_us)
        send_message(load, sender, now);
}

static void on_readable(struct load *load, struct client *client)
{
    static const char open[] = "<message", close[] = "</message>";
    size_t room = sizeof(client->input) - 1 - client->length;
    ssize_t n = recv(client->fd, client->input + client->length, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("the server ended a connection, or sent a stanza of %zu bytes", client->length);
    char *at = client->input, *end = at + client->length + n;
    *end = '\0';
    for (;;) {
        char *stanza = memmem(at, (size_t)(end - at), open, strlen(open));
        if (stanza == NULL)
            break;
        at = stanza;
        char *last = memmem(stanza, (size_t)(end - stanza), close, strlen(close));
        if (last == NULL)
            break;
        at = last + strlen(close);
        on_message(load, stanza, (size_t)(at - stanza));
    }
    client->length = (size_t)(end - at);
    memmove(client->input, at, client->length);
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    load->begin_us = load->last_us = pl_clock_monotonic_us();
    load->end_us = load->begin_us + (int64_t)load->seconds * 1000000;
    for (unsigned i = 0; i < load->client_count; i++)
        send_message(load, &load->clients[i], pl_clock_monotonic_us());
    while (load->waiting_count > 0 && pl_clock_monotonic_us() < load->end_us + DRAIN_US) {
        int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++)
            on_readable(load, events[i].data.ptr);
    }
    load->failed_count += load->waiting_count;
}

static void report(const struct load *load)
{
    double seconds = (double)(load->last_us - load->begin_us) / 1e6;
    uint64_t messages = load->latency.count;

    printf("{\"messages\": %" PRIu64 ", \"seconds\": %.3f, \"rate\": %.1f, \"p50_us\": %" PRId64
           ", \"p99_us\": %" PRId64 ", \"failed\": %" PRIu64 "}\n",
           messages, seconds, seconds > 0 ? (double)messages / seconds : 0,
           pl_load_histogram_quantile(&load->latency, 0.50),
           pl_load_histogram_quantile(&load->latency, 0.99), load->failed_count);
}

static unsigned number(const char *text, unsigned minimum, unsigned maximum)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < minimum || value > maximum)
        die("'%s' is not a number from %u to %u", text, minimum, maximum);
    return (unsigned)value;
}

static void parse_arguments(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"password", required_argument, NULL, 'w'},
                                            {"clients", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {"run", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            load->port = number(optarg, 1, 65535);
            break;
        case 'w':
            load->password = optarg;
            break;
        case 'c':
            load->client_count = number(optarg, 2, 10000);
            break;
        case 's':
            load->seconds = number(optarg, 1, 3600);
            break;
        case 'b':
            load->body_bytes = number(optarg, 64, BODY_BYTES_MAX);
            break;
        case 'r':
            load->run = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (load->port == 0 || load->password == NULL || load->run == NULL || optind < argc)
        die("usage: xmpp-load --port N --password TEXT --run WORD [--clients N] [--seconds N] "
            "[--bytes N]\nThe users are u0000, u0001 and so on at " DOMAIN
            "; ids begin with the word.");
    /* With the longest possible number, an id still fits into its buffer and into the text. */
    if (strlen(load->run) > 24)
        die("the word of --run is longer than 24 bytes");
}

int main(int argc, char **argv)
{
    struct load load = {.client_count = 200, .seconds = 10, .body_bytes = 160};
    parse_arguments(&load, argc, argv);
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load.clients = calloc(load.client_count, sizeof(*load.clients));
    if (load.epoll_fd < 0 || load.clients == NULL)
        die("out of memory or descriptors");
    for (unsigned i = 0; i < load.client_count; i++)
        log_in(&load, i);
    puts("ready");
    fflush(stdout);
    if (getchar() != EOF) {
        run(&load);
        report(&load);
    }
    for (unsigned i = 0; i < load.client_count; i++) {
        send_all(&load.clients[i], "</stream:stream>", strlen("</stream:stream>"));
        close(load.clients[i].fd);
    }
    close(load.epoll_fd);
    free(load.clients);
    return 0;
}
