/* The strict reader: a text that it accepts is UTF-8 without NUL, and its strings are the same
 * after they are written and read again. */
#include <string.h>

#include "base/buffer.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/text.h"
#include "fuzz.h"

static const char *const keys[] = {"", "a", "b", "messageContent", "clientMessageId"};

static void check_text(const char *text, size_t len)
{
    REQUIRE(strlen(text) == len);
    REQUIRE(pl_utf8_is_valid(text, len));
    REQUIRE(pl_utf8_prefix(text, len, pl_utf8_length(text, len)) == len);

    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_json_object_begin(&body);
    pl_json_key(&body, "k");
    pl_json_string(&body, text, len);
    pl_json_object_end(&body);
    pl_json_t *json;
    const char *again;
    size_t again_len;
    REQUIRE(pl_json_parse(body.data, body.len, &json, NULL) == 0);
    REQUIRE(pl_json_get_string(json, "k", &again, &again_len) == 1);
    REQUIRE(again_len == len && memcmp(again, text, len) == 0);
    pl_json_free(&json);
    pl_buffer_dispose(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_json_t *json;
    pl_error_t err = {0};
    if (pl_json_parse((const char *)data, size, &json, &err) != 0) {
        REQUIRE(json == NULL);
        REQUIRE(err.code ==
                PL_ERROR_INVALID); /* cJSON never refuses a text that the scan accepted */
        return 0;
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *text;
        size_t len;
        int64_t number;
        bool truth;
        if (pl_json_get_string(json, keys[i], &text, &len) == 1)
            check_text(text, len);
        if (pl_json_get_int64(json, keys[i], &number) == 1)
            REQUIRE(number >= -9007199254740991 && number <= 9007199254740991);
        int found = pl_json_get_bool(json, keys[i], &truth);
        REQUIRE((found == 0) == (pl_json_type_of(json, keys[i]) == PL_JSON_ABSENT));
    }
    pl_json_free(&json);
    return 0;
}
