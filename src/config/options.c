#include "config/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"

#define TEXT(field, name, value, words)                                                            \
    {                                                                                              \
        .key = (name), .type = PL_OPTION_TEXT, .default_value = (value), .documentation = (words), \
        .offset = offsetof(pl_config_t, field)                                                     \
    }
#define INTEGER(field, name, value, low, high, units, words)                              \
    {                                                                                     \
        .key = (name), .type = PL_OPTION_INTEGER, .default_value = (value), .min = (low), \
        .max = (high), .unit = (units), .documentation = (words),                         \
        .offset = offsetof(pl_config_t, field)                                            \
    }
#define SECTION(table, title, words)                               \
    .name = (title), .documentation = (words), .options = (table), \
    .option_count = sizeof(table) / sizeof((table)[0])

static const pl_option_t server_options[] = {
    TEXT(server.listen_address, "listen_address", "127.0.0.1",
         "Address of the API's listener: cleartext HTTP/1.1 and h2c. Clients connect to the edge\n"
         "(HAProxy), not to this port. On another address than loopback: see trusted_network."),
    INTEGER(server.http_port, "http_port", "8080", 1, 65535, NULL, "Port of the API's listener."),
    TEXT(
        server.trusted_proxies, "trusted_proxies", "",
        "IP addresses of edges on other machines, separated by spaces. A client's address is read\n"
        "from X-Forwarded-For if the connection comes from one of these or from loopback."),
    TEXT(server.admin_address, "admin_address", "127.0.0.1",
         "Address of the admin listener (/metrics, /healthz, /readyz), which needs no token."),
    {.key = "trusted_network",
     .type = PL_OPTION_BOOL,
     .default_value = "false",
     .offset = offsetof(pl_config_t, server.trusted_network),
     .documentation =
         "true: listen_address and admin_address may be other addresses than loopback. Only the\n"
         "edge and your own monitoring may be able to reach them: all is cleartext, a client of "
         "the\n"
         "API can abort parleyd (libh2o 2.2.5 has known holes), and whoever reaches the listener\n"
         "can say in X-Forwarded-For which address it comes from."},
    TEXT(server.user, "user", "",
         "The user that parleyd becomes if root starts it, before it opens a connection. It must\n"
         "be able to read the key files. Without it parleyd does not run as root; root: it does."),
    INTEGER(server.admin_port, "admin_port", "8081", 1, 65535, NULL, "Port of the admin listener."),
    INTEGER(server.workers, "workers", "0", 0, 256, NULL,
            "Worker threads, each with its event loop and lanes. 0: one per core."),
    INTEGER(server.max_connections, "max_connections", "50000", 1, 1000000, NULL,
            "Most client connections of the process. The file descriptor limit must allow them."),
    INTEGER(server.max_requests_in_flight_per_connection, "max_requests_in_flight_per_connection",
            "1000", 1, 100000, NULL,
            "Most unanswered requests of one connection; a further one gets 429."),
    INTEGER(
        server.max_requests_in_flight_per_user, "max_requests_in_flight_per_user", "256", 1, 100000,
        NULL,
        "Most unanswered requests of one user on one worker; a further one gets 429. Tokens with\n"
        "scope admin have no such limit."),
    INTEGER(
        server.max_unsent_per_user, "max_unsent_per_user", "16777216", 2097152, INT64_C(1) << 40,
        "bytes",
        "Most bytes of answers that one user's clients have not read yet, on one worker. An "
        "answer\n"
        "that would go over it is dropped, and its request gets 429. Answers up to 16 KiB do not\n"
        "count. A page has up to 1 MB."),
    INTEGER(server.max_unsent_per_connection, "max_unsent_per_connection", "67108864", 2097152,
            INT64_C(1) << 40, "bytes", "The same for one connection."),
    INTEGER(server.max_unsent, "max_unsent", "268435456", 2097152, INT64_C(1) << 40, "bytes",
            "The same for the process; over it, requests get 503."),
    INTEGER(
        server.max_exports_per_address, "max_exports_per_address", "8", 1, 1000, NULL,
        "Most exports of one address at once on one worker, which has 32 for all; a further one\n"
        "gets 429."),
    {.key = "trust_forwarded_for",
     .type = PL_OPTION_BOOL,
     .default_value = "true",
     .offset = offsetof(pl_config_t, server.trust_forwarded_for),
     .documentation =
         "false: X-Forwarded-For is never read, for a server that clients reach without an\n"
         "edge."},
    INTEGER(server.max_request_body, "max_request_body", "524288", 1024, 16777216, "bytes",
            "Largest request body; a larger one gets 413. The default has room for the longest\n"
            "message with every byte escaped as \\uXXXX."),
    INTEGER(server.drain_timeout_s, "drain_timeout", "7", 0, 600, "seconds",
            "How long requests in flight may take to end after SIGTERM."),
};

static const pl_option_t directory_options[] = {
    {.key = "dsn",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "host=127.0.0.1 port=5432 dbname=parley_a user=parley_server",
     .offset = offsetof(pl_config_t, directory.dsn),
     .documentation =
         "libpq connection string of the server's role, direct (not through a pooler)."},
    {.key = "owner_dsn",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "host=127.0.0.1 port=5432 dbname=parley_a user=parley_owner",
     .is_owner = true,
     .offset = offsetof(pl_config_t, directory.owner_dsn),
     .documentation =
         "libpq connection string of the owner's role, direct (not through a pooler)."},
};

static const pl_option_t database_options[] = {
    {.key = "dsn",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "host=127.0.0.1 port=6432 dbname=parley_{name} user=parley_server",
     .offset = offsetof(pl_config_database_t, dsn),
     .documentation = "Server's role, through PgBouncer (transaction pooling)."},
    {.key = "direct_dsn",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "host=127.0.0.1 port=5432 dbname=parley_{name} user=parley_server",
     .offset = offsetof(pl_config_database_t, direct_dsn),
     .documentation = "Server's role, direct (not through a pooler): for the relay."},
    {.key = "owner_dsn",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "host=127.0.0.1 port=5432 dbname=parley_{name} user=parley_owner",
     .is_owner = true,
     .offset = offsetof(pl_config_database_t, owner_dsn),
     .documentation = "Owner's role, direct."},
    {.key = "allow_data_loss_on_crash",
     .type = PL_OPTION_BOOL,
     .default_value = "false",
     .offset = offsetof(pl_config_database_t, allow_data_loss_on_crash),
     .documentation =
         "true: start even if fsync, full_page_writes or synchronous_commit is off in\n"
         "this database. Then a crash can lose messages that were acknowledged."},
};

static const pl_option_t auth_options[] = {
    {.key = "jwt_key_file",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "/etc/parley/jwt.key",
     .offset = offsetof(pl_config_t, auth.jwt_key_file),
     .documentation = "File with the HS256 key that signs and verifies access tokens: 32 bytes or\n"
                      "more; white space at the end does not count. Keep it secret: with this key\n"
                      "anyone can act as any user. A file that every user of the machine can read\n"
                      "or write is refused."},
    TEXT(auth.jwt_key_id, "jwt_key_id", "",
         "The kid in the header of the tokens that this key signs. Empty: they have none."),
    INTEGER(auth.token_lifetime_s, "token_lifetime", "900", 60, 31536000, "seconds",
            "How long an access token of a session is valid."),
    INTEGER(auth.refresh_lifetime_s, "refresh_lifetime", "5184000", 60, 315360000, "seconds",
            "A session expires if it is not refreshed for so long; at least token_lifetime."),
    INTEGER(
        auth.longest_token_s, "longest_token", "86400", 60, 31536000, "seconds",
        "The longest lifetime of tokens that integrators sign with our keys. When all tokens of\n"
        "a user are ended, servers remember it for so long, or for the longest max_lifetime."),
    INTEGER(
        auth.max_sessions, "max_sessions", "100", 1, 1000, NULL,
        "Most sessions of one user. A further login ends the one that was not seen the longest."),
    INTEGER(
        auth.password_min, "password_min", "8", 8, 256, "characters",
        "Least length of a new password. It may not be the username, nor one of the 10,000 most\n"
        "common ones."),
    INTEGER(auth.password_threads, "password_threads", "1", 1, 64, NULL,
            "Threads that hash passwords (Argon2id; a hash takes about 20 MB and 30 ms)."),
    INTEGER(auth.password_queue, "password_queue", "64", 1, 100000, NULL,
            "Most logins and registrations that wait for those threads; a further one gets 503."),
    INTEGER(auth.clock_leeway_s, "clock_leeway", "30", 0, 600, "seconds",
            "How far in the future a token's nbf and iat may lie, for clocks that differ."),
};

static const pl_option_t issuer_options[] = {
    {.key = "issuer",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "https://login.example.com/",
     .offset = offsetof(pl_config_issuer_t, issuer),
     .documentation = "Exact value of the token's iss claim."},
    {.key = "algorithm",
     .type = PL_OPTION_CHOICE,
     .default_value = "RS256",
     .choices = "RS256|ES256|EdDSA",
     .offset = offsetof(pl_config_issuer_t, algorithm),
     .documentation = "The only signature algorithm that is accepted with this key."},
    {.key = "public_key_file",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "/etc/parley/issuers/{name}.pem",
     .offset = offsetof(pl_config_issuer_t, public_key_file),
     .documentation = "PEM file of the issuer's public key."},
    {.key = "audience",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "https://chat.example.com/",
     .offset = offsetof(pl_config_issuer_t, audience),
     .documentation =
         "What the token's aud claim must be or contain. Without it, a token that the\n"
         "issuer made for another application would be accepted here."},
    {.key = "allow_admin",
     .type = PL_OPTION_BOOL,
     .default_value = "false",
     .offset = offsetof(pl_config_issuer_t, allow_admin),
     .documentation = "true: the scope admin in this issuer's tokens counts. Then the issuer can\n"
                      "act as any user."},
    {.key = "max_lifetime",
     .type = PL_OPTION_INTEGER,
     .default_value = "86400",
     .unit = "seconds",
     .min = 60,
     .max = 31536000,
     .offset = offsetof(pl_config_issuer_t, max_lifetime_s),
     .documentation = "Longest time from a token's iat to its exp. A token with more is refused."},
};

static const pl_option_t jwt_key_options[] = {
    {.key = "file",
     .type = PL_OPTION_TEXT,
     .default_value = "",
     .example = "/etc/parley/{name}.key",
     .offset = offsetof(pl_config_jwt_key_t, file),
     .documentation = "File with the key, as jwt_key_file."},
};

static const pl_option_t lanes_options[] = {
    INTEGER(lanes.write_lanes, "write_lanes", "1", 1, 256, NULL,
            "Connections for sends, per database; the workers share them. Few lanes make large\n"
            "batches, which cost less per message; more lanes use more cores of a database."),
    INTEGER(
        lanes.read_lanes_per_worker, "read_lanes_per_worker", "1", 1, 64, NULL,
        "Connections for reads, per worker and database. Each database has one more connection\n"
        "for changes and one more for the checks of cached pages and users."),
    INTEGER(lanes.batch_size, "batch_size", "128", 1, 512, "operations",
            "Most operations in one transaction."),
    INTEGER(lanes.queue_size, "queue_size", "8192", 1, 1000000, "operations",
            "Most operations of one lane, queued or in flight; a further one gets 503."),
    INTEGER(lanes.request_deadline_s, "request_deadline", "10", 1, 60, "seconds",
            "How long a request waits for its database before it gets 503."),
    INTEGER(lanes.copy_deadline_s, "copy_deadline", "1", 1, 60, "seconds",
            "How long a send waits for the sender's copy after the recipient's copy is durable.\n"
            "Then the answer says \"senderCopy\": \"pending\", and the relay writes the copy."),
};

static const pl_option_t cache_options[] = {
    INTEGER(cache.size, "size", "67108864", 0, INT64_C(1) << 40, "bytes",
            "Memory per worker for cached pages. 0: no cache."),
};

static const pl_option_t push_options[] = {
    INTEGER(
        push.heartbeat_s, "heartbeat", "15", 1, 60, "seconds",
        "Time between the comments that keep a stream alive, and between the checks of a waiting\n"
        "client's mailbox version."),
    INTEGER(
        push.stream_queue, "stream_queue", "65536", 4096, 16777216, "bytes",
        "Most data queued for a stream whose client reads slowly; over it the stream is closed."),
    INTEGER(push.stream_stall_s, "stream_stall", "30", 1, 600, "seconds",
            "A stream is closed if it has queued data and makes no progress for so long."),
    INTEGER(push.retry_min_ms, "retry_min", "1000", 0, 600000, "milliseconds",
            "Clients of streams reconnect after a random time from retry_min ..."),
    INTEGER(push.retry_max_ms, "retry_max", "3000", 0, 600000, "milliseconds", "... to retry_max."),
    INTEGER(push.max_waiters, "max_waiters", "50000", 1, 10000000, NULL,
            "Most long-polls and streams of the process; a further one gets 429."),
    INTEGER(push.max_waiters_per_user, "max_waiters_per_user", "50", 1, 100000, NULL,
            "Most long-polls and streams of one user on one worker; a further one gets 429."),
    INTEGER(push.max_waiters_per_address, "max_waiters_per_address", "5000", 1, 10000000, NULL,
            "The same for one address (a /64 of IPv6), which can be the network of a company."),
    INTEGER(push.presence_timeout_s, "presence_timeout", "30", 1, 3600, "seconds",
            "A user goes offline after so long without a stream, a long-poll or an announcement."),
    INTEGER(push.presence_users, "presence_users", "200000", 1, 10000000, NULL,
            "Most users whose presence is remembered, about 72 bytes each. The user who has been\n"
            "offline the longest is forgotten first."),
    INTEGER(push.max_watched, "max_watched", "500000", 1, 10000000, NULL,
            "Most users whose presence is watched, counted once for each stream; more get 429."),
    INTEGER(push.max_watched_per_user, "max_watched_per_user", "1000", 1, 10000000, NULL,
            "The same for the streams of one user on one worker."),
    INTEGER(push.max_watched_per_address, "max_watched_per_address", "50000", 1, 10000000, NULL,
            "The same for the streams of one address on one worker."),
};

static const pl_option_t groups_options[] = {
    INTEGER(groups.max_members, "max_members", "256", 2, 1024, NULL,
            "Most members of one group. Each gets a copy of every message."),
};

static const pl_option_t relay_options[] = {
    INTEGER(relay.interval_s, "interval", "1", 1, 60, "seconds",
            "Time between two sweeps of each database's outboxes."),
    INTEGER(relay.batch_size, "batch_size", "500", 1, 10000, "rows",
            "Most outbox entries read and claimed at once."),
};

static const pl_option_t log_options[] = {
    {.key = "level",
     .type = PL_OPTION_LEVEL,
     .default_value = "info",
     .choices = "debug|info|warn|error",
     .offset = offsetof(pl_config_t, log.level),
     .documentation = "Lowest level that is logged. The log is JSON lines on standard error."},
};

const pl_option_section_t pl_option_sections[] = {
    {SECTION(server_options, "server", "Listeners, threads and limits of parleyd.")},
    {SECTION(directory_options, "directory",
             "The database with the directory, which says which database holds which shard.")},
    {SECTION(
         database_options, "database",
         "One section for each database that holds shards. Its name is the one in the directory\n"
         "(1 to 32 of a-z 0-9 _ -)."),
     .example_names = {"a", "b"}},
    {SECTION(auth_options, "auth", "Access tokens and passwords.")},
    {SECTION(
         jwt_key_options, "jwt_key",
         "One section for each further HS256 key that verifies access tokens and signs none: the\n"
         "key that comes next, and the one that was replaced. The section's name is the kid of "
         "its\n"
         "tokens; docs/operations.md says how keys are replaced. There need not be any."),
     .example_names = {"2026-11"}, .is_optional = true},
    {SECTION(issuer_options, "issuer",
             "One section for each key of an external token issuer. There need not be any."),
     .example_names = {"example"}, .is_optional = true},
    {SECTION(lanes_options, "lanes", "Connections to the databases and their queues.")},
    {SECTION(cache_options, "cache",
             "Cached pages, which are served as long as their mailbox does not change.")},
    {SECTION(push_options, "push", "Long-polls and event streams.")},
    {SECTION(groups_options, "groups", "Group conversations.")},
    {SECTION(relay_options, "relay",
             "Delivery of the outbox entries that the first attempt did not deliver.")},
    {SECTION(log_options, "log", "Logging.")},
};
const size_t pl_option_section_count = sizeof(pl_option_sections) / sizeof(pl_option_sections[0]);

const pl_option_section_t *pl_option_section_find(const char *name, size_t name_len)
{
    for (size_t i = 0; i < pl_option_section_count; i++) {
        const pl_option_section_t *section = &pl_option_sections[i];
        if (strlen(section->name) == name_len && memcmp(section->name, name, name_len) == 0)
            return section;
    }
    return NULL;
}

const pl_option_t *pl_option_find(const pl_option_section_t *section, const char *key)
{
    for (size_t i = 0; i < section->option_count; i++)
        if (strcmp(section->options[i].key, key) == 0)
            return &section->options[i];
    return NULL;
}

bool pl_option_section_has_owner(const pl_option_section_t *section)
{
    for (size_t i = 0; i < section->option_count; i++)
        if (section->options[i].is_owner)
            return true;
    return false;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == len && memcmp(at, value, len) == 0)
            return true;
    }
    return false;
}

static int set_integer(const pl_option_t *option, int64_t *field, const char *value,
                       pl_error_t *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    /* strtoll also accepts white space and a plus sign, which are refused here. */
    bool is_number = (*value == '-' || (*value >= '0' && *value <= '9')) && *end == '\0' &&
                     errno == 0;
    if (!is_number || number < option->min || number > option->max) {
        pl_error_set(err, PL_ERROR_INVALID, "needs an integer from %" PRId64 " to %" PRId64,
                     option->min, option->max);
        return -1;
    }
    *field = number;
    return 0;
}

static int set_bool(bool *field, const char *value, pl_error_t *err)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        pl_error_set(err, PL_ERROR_INVALID, "needs true or false");
        return -1;
    }
    *field = value[0] == 't';
    return 0;
}

int pl_option_set(const pl_option_t *option, void *target, const char *value, pl_error_t *err)
{
    void *field = (char *)target + option->offset;
    if (option->choices != NULL && !is_choice(option->choices, value)) {
        pl_error_set(err, PL_ERROR_INVALID, "needs one of %s", option->choices);
        return -1;
    }
    switch (option->type) {
    case PL_OPTION_INTEGER:
        return set_integer(option, field, value, err);
    case PL_OPTION_BOOL:
        return set_bool(field, value, err);
    case PL_OPTION_LEVEL:
        return pl_log_level_parse(value, field);
    case PL_OPTION_TEXT:
    case PL_OPTION_CHOICE:
        break;
    }
    char **text = field;
    free(*text);
    *text = pl_strdup(value);
    return 0;
}

void pl_option_set_defaults(const pl_option_section_t *section, void *target)
{
    for (size_t i = 0; i < section->option_count; i++) {
        pl_error_t err;
        if (pl_option_set(&section->options[i], target, section->options[i].default_value, &err) <
            0)
            abort(); /* the table has an invalid default; the unit test finds this */
    }
}

void pl_option_free(const pl_option_section_t *section, void *target)
{
    for (size_t i = 0; i < section->option_count; i++) {
        const pl_option_t *option = &section->options[i];
        if (option->type == PL_OPTION_TEXT || option->type == PL_OPTION_CHOICE) {
            char **text = (char **)(void *)((char *)target + option->offset);
            free(*text);
            *text = NULL;
        }
    }
}
