/* Ids and conversation ids: only the spelling that the formatter writes is accepted. */
#include <string.h>

#include "base/id.h"
#include "base/text.h"
#include "fuzz.h"

static void check_id(const char *text, size_t len)
{
    int64_t id;
    char again[PL_ID_TEXT_SIZE];
    if (pl_id_parse(text, len, &id) == 0) {
        REQUIRE(id >= 1);
        REQUIRE(pl_id_format(again, id) == len && memcmp(again, text, len) == 0);
        REQUIRE(pl_id_shard(id) < PL_SHARDS_MAX);
    }
    if (pl_decimal_parse(text, len, 1000, &id) == 0) {
        REQUIRE(id >= 0 && id <= 1000);
        REQUIRE(pl_id_format(again, id) == len && memcmp(again, text, len) == 0);
    }
}

static void check_conversation_id(const char *text, size_t len)
{
    int64_t low = 0, high = 0;
    char again[PL_CONVERSATION_ID_TEXT_SIZE];
    switch (pl_conversation_id_parse(text, len, &low, &high)) {
    case 1:
        REQUIRE(low >= 1 && low <= high && !pl_id_is_group(low) && !pl_id_is_group(high));
        REQUIRE(pl_conversation_id_format(again, high, low) == len);
        REQUIRE(memcmp(again, text, len) == 0);
        break;
    case 2:
        REQUIRE(low >= 1 && high == 0 && pl_id_is_group(low));
        REQUIRE(pl_conversation_id_format(again, 1, low) == len);
        REQUIRE(memcmp(again, text, len) == 0);
        break;
    default:
        REQUIRE(low == 0 && high == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char name[PL_USERNAME_SIZE];
    check_id(text, size);
    check_conversation_id(text, size);
    if (pl_username_normalise(text, size, name) == 0) {
        REQUIRE(strlen(name) == size);
        REQUIRE(pl_username_shard(text, size, 16) == pl_username_shard(name, size, 16));
    }
    return 0;
}
