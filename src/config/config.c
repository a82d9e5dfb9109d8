#include "config/config.h"

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

int pl_config_check_server(const pl_config_t *config, pl_error_t *err)
{
    if (require(config->directory.dsn, "directory", "", "dsn", err) < 0 ||
        require(config->auth.jwt_key_file, "auth", "", "jwt_key_file", err) < 0 ||
        require_database(config, err) < 0)
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
