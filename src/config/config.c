#include "config/config.h"

#include <arpa/inet.h>
#include <string.h>

static int require(const char *value, const char *section, const char *name, const char *key,
                   pl_error_t *err)
{
    if (*value != '\0')
        return 0;
    pl_error_set(err, PL_ERROR_INVALID, "[%s%s%s] %s is not set", section, *name != '\0' ? " " : "",
                 name, key);
    return -1;
}

static int require_database(const pl_config_t *config, pl_error_t *err)
{
    if (config->database_count == 0) {
        pl_error_set(err, PL_ERROR_INVALID, "there is no [database NAME] section");
        return -1;
    }
    return 0;
}

/* 127.0.0.0/8, ::1 and 127.0.0.0/8 written as IPv6. */
static bool is_loopback(const char *address)
{
    static const unsigned char mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
    struct in_addr ipv4;
    struct in6_addr ipv6;

    if (inet_pton(AF_INET, address, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &ipv6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&ipv6) || memcmp(&ipv6, mapped, sizeof(mapped)) == 0);
}

static int check_listener(const pl_config_t *config, const char *key, const char *address,
                          pl_error_t *err)
{
    if (config->server.trusted_network || is_loopback(address))
        return 0;
    pl_error_set(err, PL_ERROR_INVALID,
                 "[server] %s %s is not loopback: it is cleartext, and libh2o 2.2.5 has known "
                 "holes. If only your machines can reach it: trusted_network = true",
                 key, address);
    return -1;
}

int pl_config_check_server(const pl_config_t *config, pl_error_t *err)
{
    if (require(config->directory.dsn, "directory", "", "dsn", err) < 0 ||
        require(config->auth.jwt_key_file, "auth", "", "jwt_key_file", err) < 0 ||
        require_database(config, err) < 0 ||
        check_listener(config, "listen_address", config->server.listen_address, err) < 0 ||
        check_listener(config, "admin_address", config->server.admin_address, err) < 0)
        return -1;
    for (size_t i = 0; i < config->database_count; i++) {
        const pl_config_database_t *database = &config->databases[i];
        if (require(database->dsn, "database", database->name, "dsn", err) < 0 ||
            require(database->direct_dsn, "database", database->name, "direct_dsn", err) < 0)
            return -1;
    }
    return 0;
}

int pl_config_check_owner(const pl_config_t *config, pl_error_t *err)
{
    if (require(config->directory.owner_dsn, "directory", "", "owner_dsn", err) < 0 ||
        require_database(config, err) < 0)
        return -1;
    for (size_t i = 0; i < config->database_count; i++) {
        const pl_config_database_t *database = &config->databases[i];
        if (require(database->owner_dsn, "database", database->name, "owner_dsn", err) < 0)
            return -1;
    }
    return 0;
}

const pl_config_database_t *pl_config_find_database(const pl_config_t *config, const char *name)
{
    for (size_t i = 0; i < config->database_count; i++)
        if (strcmp(config->databases[i].name, name) == 0)
            return &config->databases[i];
    return NULL;
}
