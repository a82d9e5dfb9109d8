/* The configuration, read once at start from an INI file. The keys, defaults and documentation are
 * one table in options.c; conf/parley.ini is printed from it. Field names are the keys, with the
 * unit where there is one. */
#ifndef PL_CONFIG_CONFIG_H
#define PL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/log.h"

/* [database NAME]. A text that the file does not set is "", never NULL. */
typedef struct pl_config_database {
    char *name;       /* 1 to 32 of a-z 0-9 _ - */
    char *dsn;        /* server role, through PgBouncer */
    char *direct_dsn; /* server role, without a pooler */
    char *owner_dsn;  /* owner role, without a pooler; only parleyctl uses it */
    bool allow_data_loss_on_crash;
} pl_config_database_t;

/* [issuer NAME] */
typedef struct pl_config_issuer {
    char *name;
    char *issuer;    /* value of the iss claim; two sections may share it while keys change */
    char *algorithm; /* RS256, ES256 or EdDSA */
    char *public_key_file;
} pl_config_issuer_t;

typedef struct pl_config {
    struct {
        char *listen_address;
        int64_t http_port;
        char *admin_address;
        int64_t admin_port;
        int64_t workers; /* 0: one per core */
        int64_t max_connections;
        int64_t max_requests_in_flight_per_connection;
        int64_t max_request_body; /* bytes */
        int64_t drain_timeout_s;
    } server;
    struct {
        char *dsn;
        char *owner_dsn;
    } directory;
    struct {
        char *jwt_key_file;
        int64_t token_lifetime_s;
        char *cookie_name;
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
        int64_t presence_timeout_s;
        int64_t presence_users;
        int64_t max_watched;
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
} pl_config_t;

/* Reads path into *config. Returns 0; or -1 with PL_ERROR_INVALID, whose message names file, line
 * and key: cannot be read, an unknown section or key, a key twice in one section, a value of the
 * wrong type or out of range, a line that is neither. *config needs no cleaning up then. What a
 * program cannot do without (a DSN, the key file) is for it to check: parleyd and parleyctl need
 * different ones. */
int pl_config_load(const char *path, pl_config_t *config, pl_error_t *err) PL_MUST_USE;

/* The same from memory; name stands for the file in messages. text needs no NUL. */
int pl_config_parse(const char *name, const char *text, size_t len, pl_config_t *config,
                    pl_error_t *err) PL_MUST_USE;

/* Checks what parleyd needs: a directory DSN, at least one database with dsn and direct_dsn, the
 * JWT key file. Returns 0, or -1 with PL_ERROR_INVALID. */
int pl_config_check_server(const pl_config_t *config, pl_error_t *err) PL_MUST_USE;

/* The same for parleyctl: owner DSNs of the directory and of every database. */
int pl_config_check_owner(const pl_config_t *config, pl_error_t *err) PL_MUST_USE;

/* Frees what the struct points to and zeroes it; fine on a zeroed one. */
void pl_config_free(pl_config_t *config);

/* The [database NAME], or NULL. */
const pl_config_database_t *pl_config_find_database(const pl_config_t *config, const char *name);

/* Prints the annotated example: every key with its documentation, type, unit, range and default. */
void pl_config_print_options(FILE *out);

#endif
