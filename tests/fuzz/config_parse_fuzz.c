/* The configuration file: any bytes give either a whole configuration or one message. */
#include <string.h>

#include "config/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_config_t config;
    pl_error_t err = {0};
    if (pl_config_parse("fuzz", (const char *)data, size, &config, &err) != 0) {
        REQUIRE(err.code == PL_ERROR_INVALID && err.message[0] != '\0');
        REQUIRE(config.databases == NULL && config.server.listen_address == NULL);
        return 0;
    }
    REQUIRE(config.server.http_port >= 1 && config.server.http_port <= 65535);
    REQUIRE(config.push.retry_min_ms <= config.push.retry_max_ms);
    for (size_t i = 0; i < config.database_count; i++) {
        REQUIRE(strlen(config.databases[i].name) >= 1 && strlen(config.databases[i].name) <= 32);
        REQUIRE(pl_config_find_database(&config, config.databases[i].name) == &config.databases[i]);
    }
    if (pl_config_check_server(&config, &err) == 0)
        REQUIRE(config.database_count > 0 && config.directory.dsn[0] != '\0');
    if (pl_config_parse_owner("fuzz", (const char *)data, size, &config, &err) == 0 &&
        pl_config_check_owner(&config, &err) == 0)
        REQUIRE(config.database_count > 0 && config.databases[0].owner_dsn[0] != '\0');
    pl_config_free(&config);
    return 0;
}
