#include "api/body.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#include "base/json_text.h"

void pl_refusal_init(pl_refusal_t *refusal)
{
    refusal->fields.count = 0;
    refusal->has_unknown = false;
    refusal->detail[0] = '\0';
}

int pl_refuse(pl_refusal_t *refusal, pl_problem_t problem, const char *format, ...)
{
    va_list args;

    refusal->problem = problem;
    va_start(args, format);
    (void)vsnprintf(refusal->detail, sizeof(refusal->detail), format, args);
    va_end(args);
    return -1;
}

int pl_refuse_fields(pl_refusal_t *refusal)
{
    assert(refusal->fields.count > 0);
    refusal->problem = refusal->has_unknown ? PL_PROBLEM_UNKNOWN_FIELD
                                            : PL_PROBLEM_VALIDATION_FAILED;
    return -1;
}

void pl_refusal_reply(pl_request_t *request, const pl_refusal_t *refusal)
{
    if (refusal->problem == PL_PROBLEM_VALIDATION_FAILED ||
        refusal->problem == PL_PROBLEM_UNKNOWN_FIELD)
        pl_problem_reply_fields(request, refusal->problem, &refusal->fields);
    else
        pl_problem_reply(request, refusal->problem, "%s", refusal->detail);
}

int pl_body_parse(const char *body, size_t len, pl_json_t **json_r, pl_refusal_t *refusal)
{
    pl_error_t error;

    if (pl_json_parse(body, len, json_r, &error) != 0)
        return pl_refuse(refusal, PL_PROBLEM_INVALID_JSON, "%s", error.message);
    return 0;
}

/* A JSON pointer to the key. A key that is too long or not plain is not repeated: "". */
static void point_to(char pointer[64], const char *key)
{
    size_t len = strlen(key);

    if (len == 0 || len > 60 || !pl_ascii_is_printable(key, len) || strpbrk(key, "~/") != NULL)
        pointer[0] = '\0';
    else
        (void)snprintf(pointer, 64, "/%s", key);
}

void pl_body_keys(const pl_json_t *json, const char *const *known, pl_refusal_t *refusal)
{
    char pointer[64];

    for (const char *key = pl_json_unknown_key(json, known, NULL);
         key != NULL && refusal->fields.count < PL_PROBLEM_MAX_FIELDS;
         key = pl_json_unknown_key(json, known, key)) {
        point_to(pointer, key);
        pl_problem_fields_add(&refusal->fields, pointer,
                              pointer[0] != '\0' ? "is not a known field"
                                                 : "has a field that is not known");
        refusal->has_unknown = true;
    }
}

bool pl_body_text(const pl_json_t *json, const char *key, bool required, const char **text_r,
                  size_t *len_r, pl_refusal_t *refusal)
{
    int found = pl_json_get_string(json, key, text_r, len_r);

    if (found < 0)
        pl_body_wrong(refusal, key, "must be a string");
    else if (found == 0 && required)
        pl_body_wrong(refusal, key, "is required");
    return found > 0;
}

bool pl_body_bool(const pl_json_t *json, const char *key, bool *value_r, pl_refusal_t *refusal)
{
    int found = pl_json_get_bool(json, key, value_r);

    if (found < 0)
        pl_body_wrong(refusal, key, "must be true or false");
    return found > 0;
}

void pl_body_metadata(const char *body, size_t len, const pl_json_t *json, pl_buffer_t *out,
                      pl_refusal_t *refusal)
{
    enum pl_json_type type = pl_json_type_of(json, "metadata");

    if (type == PL_JSON_ABSENT)
        return;
    if (type != PL_JSON_OBJECT)
        pl_body_wrong(refusal, "metadata", "must be an object");
    else if (pl_json_member_text(body, len, "metadata", out) != 0)
        pl_body_wrong(refusal, "metadata", "must be spelled without escapes");
    else if (out->len > PL_METADATA_MAX)
        pl_body_wrong(refusal, "metadata", "must be at most %d bytes of JSON", PL_METADATA_MAX);
}

void pl_body_wrong(pl_refusal_t *refusal, const char *key, const char *format, ...)
{
    char pointer[64], detail[160];
    va_list args;

    (void)snprintf(pointer, sizeof(pointer), "/%s", key);
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    pl_problem_fields_add(&refusal->fields, pointer, "%s", detail);
}
