#include "api/ids_input.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "http/problem.h"

static int refuse(pl_request_t *request, const char *name, size_t max)
{
    char pointer[64];

    (void)snprintf(pointer, sizeof(pointer), "?%s", name);
    pl_problem_reply_field(request, pointer, "must be 1 to %zu userIds, separated by commas", max);
    return -1;
}

static bool has_id(const int64_t *ids, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

int pl_ids_input_decode(pl_request_t *request, const pl_query_parameter_t *parameter, size_t max,
                        int64_t *ids_r, size_t *count_r)
{
    const char *at = parameter->value.data;
    const char *end = at + parameter->value.len;
    const char *comma;

    *count_r = 0;
    do {
        int64_t id;
        comma = memchr(at, ',', (size_t)(end - at));
        const char *id_end = comma != NULL ? comma : end;
        if (pl_id_parse(at, (size_t)(id_end - at), &id) != 0)
            return refuse(request, parameter->name, max);
        if (!has_id(ids_r, *count_r, id)) {
            if (*count_r == max)
                return refuse(request, parameter->name, max);
            ids_r[(*count_r)++] = id;
        }
        at = id_end + 1;
    } while (comma != NULL);
    return 0;
}
