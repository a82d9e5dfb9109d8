#include "base/json_read.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/memory.h"

/* Up to this number of keys, comparing all pairs is faster than sorting. */
#define FEW_KEYS 8

#define INTEGER_MAX 9007199254740991.0 /* 2^53 - 1: above it a double cannot hold every integer */

/* A pl_json_t is a cJSON object. The other name keeps cJSON out of all other files. */
static inline const cJSON *tree(const pl_json_t *json)
{
    return (const cJSON *)(const void *)json;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool sorted_keys_repeat(const cJSON *object, size_t count)
{
    const char **keys = pl_reallocarray(NULL, count, sizeof(*keys));
    size_t i = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        keys[i++] = item->string;
    qsort(keys, count, sizeof(*keys), compare_keys);
    bool repeat = false;
    for (i = 1; i < count && !repeat; i++)
        repeat = strcmp(keys[i - 1], keys[i]) == 0;
    free(keys);
    return repeat;
}

static bool keys_repeat(const cJSON *object)
{
    size_t count = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        count++;
    if (count > FEW_KEYS)
        return sorted_keys_repeat(object, count);
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        for (const cJSON *other = item->next; other != NULL; other = other->next)
            if (strcmp(item->string, other->string) == 0)
                return true;
    }
    return false;
}

/* Looks at all levels. The recursion is bounded, because the scan has limited the depth. */
static bool any_keys_repeat(const cJSON *item)
{
    if (cJSON_IsObject(item) && keys_repeat(item))
        return true;
    for (const cJSON *child = item->child; child != NULL; child = child->next)
        if (any_keys_repeat(child))
            return true;
    return false;
}

int pl_json_parse(const char *body, size_t len, pl_json_t **json_r, pl_error_t *err)
{
    *json_r = NULL;
    if (pl_json_scan(body, len, err) < 0)
        return -1;
    cJSON *object = cJSON_ParseWithLength(body, len);
    if (object == NULL) {
        pl_error_set(err, PL_ERROR_INTERNAL, "cJSON refused a text that the scan accepted");
        return -1;
    }
    if (any_keys_repeat(object)) {
        cJSON_Delete(object);
        pl_error_set(err, PL_ERROR_INVALID, "an object has the same key twice");
        return -1;
    }
    *json_r = (pl_json_t *)(void *)object;
    return 0;
}

void pl_json_free(pl_json_t **json)
{
    cJSON_Delete((cJSON *)(void *)*json);
    *json = NULL;
}

static const cJSON *member(const pl_json_t *json, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(tree(json), key);
}

static bool is_known(const char *key, const char *const *known)
{
    for (; *known != NULL; known++)
        if (strcmp(key, *known) == 0)
            return true;
    return false;
}

const char *pl_json_unknown_key(const pl_json_t *json, const char *const *known, const char *after)
{
    const cJSON *item = ((const cJSON *)(const void *)json)->child;

    while (after != NULL && item != NULL && item->string != after)
        item = item->next;
    if (after != NULL && item != NULL)
        item = item->next;
    for (; item != NULL; item = item->next)
        if (!is_known(item->string, known))
            return item->string;
    return NULL;
}

enum pl_json_type pl_json_type_of(const pl_json_t *json, const char *key)
{
    const cJSON *item = member(json, key);
    if (item == NULL)
        return PL_JSON_ABSENT;
    switch (item->type & 0xff) {
    case cJSON_NULL:
        return PL_JSON_NULL;
    case cJSON_True:
    case cJSON_False:
        return PL_JSON_BOOL;
    case cJSON_Number:
        return PL_JSON_NUMBER;
    case cJSON_String:
        return PL_JSON_STRING;
    case cJSON_Array:
        return PL_JSON_ARRAY;
    default:
        return PL_JSON_OBJECT;
    }
}

int pl_json_get_string(const pl_json_t *json, const char *key, const char **text_r, size_t *len_r)
{
    const cJSON *item = member(json, key);
    if (item == NULL)
        return 0;
    if (!cJSON_IsString(item))
        return -1;
    *text_r = item->valuestring;
    *len_r = strlen(item->valuestring); /* exact, because the scan refuses every NUL */
    return 1;
}

int pl_json_get_bool(const pl_json_t *json, const char *key, bool *value_r)
{
    const cJSON *item = member(json, key);
    if (item == NULL)
        return 0;
    if (!cJSON_IsBool(item))
        return -1;
    *value_r = cJSON_IsTrue(item);
    return 1;
}

int pl_json_get_int64(const pl_json_t *json, const char *key, int64_t *value_r)
{
    const cJSON *item = member(json, key);
    if (item == NULL)
        return 0;
    if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= INTEGER_MAX) ||
        trunc(item->valuedouble) != item->valuedouble)
        return -1;
    *value_r = (int64_t)item->valuedouble;
    return 1;
}

int pl_json_get_strings(const pl_json_t *json, const char *key, const char **texts_r, size_t max,
                        size_t *count_r)
{
    const cJSON *array = member(json, key), *item;

    *count_r = 0;
    if (array == NULL)
        return 0;
    if (!cJSON_IsArray(array))
        return -1;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item) || *count_r == max)
            return -1;
        texts_r[(*count_r)++] = item->valuestring;
    }
    return 1;
}
