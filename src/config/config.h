/* The configuration, read once at the start from an INI file: parley.ini. The owner's DSNs are in a
 * file of their own, parleyctl.ini, which parleyctl reads as well: a server cannot lose what it
 * does not have. The keys of both, their defaults and their documentation are one table in
 * options.c, from which print.c prints conf/parley.ini and conf/parleyctl.ini. parse.c reads the
 * files, and config.c checks what parleyd and parleyctl need. A field's name is its key, followed
 * by its unit if it has one. */
#ifndef PL_CONFIG_CONFIG_H
#define PL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/log.h"

/* A section [database NAME]. A text that the file does not set is "", never NULL. */
typedef struct pl_config_database {
    char *name;       /* 1 to 32 of a-z 0-9 _ - */
    char *dsn;        /* the server's role, through PgBouncer */
    char *direct_dsn; /* the server's role, without a pooler */
    char *owner_dsn;  /* the owner's role, without a pooler; from parleyctl.ini */
    bool allow_data_loss_on_crash;
} pl_config_database_t;

/* A section [issuer NAME]. */
typedef struct pl_config_issuer {
    char *name;
    char *issuer; /* value of the iss claim; two sections may have the same one during a change of
                     keys */
    char *algorithm; /* RS256, ES256 or EdDSA */
    char *public_key_file;
    char *audience;
    bool allow_admin;
    int64_t max_lifetime_s;
} pl_config_issuer_t;

/* A section [jwt_key NAME]. */
typedef struct pl_config_jwt_key {
    char *name; /* the kid of its tokens */
    char *file;
} pl_config_jwt_key_t;

typedef struct pl_config {
    struct {
        char *listen_address;
        int64_t http_port;
        char *trusted_proxies; /* addresses, separated by spaces */
        char *admin_address;
        int64_t admin_port;
        bool trusted_network;
        char *user;      /* that root becomes */
        int64_t workers; /* 0: one per core */
        int64_t max_connections;
        int64_t max_requests_in_flight_per_connection;
        int64_t max_requests_in_flight_per_user;
        int64_t max_unsent_per_user;       /* bytes */
        int64_t max_unsent_per_connection; /* bytes */
        int64_t max_unsent;                /* bytes */
        int64_t max_exports_per_address;
        bool trust_forwarded_for;
        int64_t max_request_body; /* bytes */
        int64_t drain_timeout_s;
    } server;
    struct {
        char *dsn;
        char *owner_dsn; /* from parleyctl.ini */
    } directory;
    struct {
        char *jwt_key_file;
        char *jwt_key_id;
        int64_t token_lifetime_s;
        int64_t refresh_lifetime_s;
        int64_t longest_token_s;
        int64_t max_sessions; /* of one user */
        int64_t password_min; /* characters */
        int64_t password_threads;
        int64_t password_queue;
        int64_t clock_leeway_s;
    } auth;
    struct {
        int64_t write_lanes; /* per database */
        int64_t read_lanes_per_worker;
        int64_t batch_size;
        int64_t queue_size;
        int64_t request_deadline_s;
        int64_t copy_deadline_s;
    } lanes;
    struct {
        int64_t size; /* bytes per worker; 0: no cache */
    } cache;
    struct {
        int64_t heartbeat_s;
        int64_t stream_queue; /* bytes */
        int64_t stream_stall_s;
        int64_t retry_min_ms;
        int64_t retry_max_ms;
        int64_t max_waiters;
        int64_t max_waiters_per_user;
        int64_t max_waiters_per_address;
        int64_t presence_timeout_s;
        int64_t presence_users;
        int64_t max_watched;
        int64_t max_watched_per_user;
        int64_t max_watched_per_address;
    } push;
    struct {
        int64_t max_members;
    } groups;
    struct {
        int64_t interval_s;
        int64_t batch_size;
    } relay;
    struct {
        enum pl_log_level level;
    } log;

    pl_config_database_t *databases; /* in the file's order */
    size_t database_count;
    pl_config_issuer_t *issuers;
    size_t issuer_count;
    pl_config_jwt_key_t *jwt_keys;
    size_t jwt_key_count;
} pl_config_t;

/* Reads the file at path into *config. Returns 0, and the caller frees *config with
 * pl_config_free(). Returns -1 with PL_ERROR_INVALID, and *config then owns nothing, if: the file
 * cannot be read, a section or key is unknown or appears twice, a value has the wrong type or is
 * out of range, or a line is none of these. The message names the file and, if possible, line and
 * key. Does not check that required options (a DSN, the key file) are set: see the checks below.
 * One thread at a time. */
int pl_config_load(const char *path, pl_config_t *config, pl_error_t *err) PL_MUST_USE;

/* The same from memory; messages use name in place of the file's. text needs no NUL. */
int pl_config_parse(const char *name, const char *text, size_t len, pl_config_t *config,
                    pl_error_t *err) PL_MUST_USE;

/* Reads parleyctl.ini, the owner's DSNs of the directory and of the databases that *config has, and
 * adds them. Returns 0, or -1 with PL_ERROR_INVALID; in both cases the caller frees *config. One
 * thread at a time. */
int pl_config_load_owner(const char *path, pl_config_t *config, pl_error_t *err) PL_MUST_USE;
int pl_config_parse_owner(const char *name, const char *text, size_t len, pl_config_t *config,
                          pl_error_t *err) PL_MUST_USE;

/* Checks that the options that parleyd needs are set: the directory's DSN, at least one database,
 * dsn and direct_dsn of each, and the JWT key file; and that its listeners are on loopback unless
 * the network is trusted. Returns 0, or -1 with PL_ERROR_INVALID. */
int pl_config_check_server(const pl_config_t *config, pl_error_t *err) PL_MUST_USE;

/* The same for parleyctl: owner DSNs of the directory and of every database. */
int pl_config_check_owner(const pl_config_t *config, pl_error_t *err) PL_MUST_USE;

/* Frees the memory that the struct points to, and zeroes the struct. It may be zeroed already. */
void pl_config_free(pl_config_t *config);

/* Returns the section [database NAME], or NULL. */
const pl_config_database_t *pl_config_find_database(const pl_config_t *config, const char *name);

/* Prints the annotated example: every key with its documentation, type, unit, range and default. */
void pl_config_print_options(FILE *out);

/* The same for parleyctl.ini. */
void pl_config_print_owner_options(FILE *out);

#endif
