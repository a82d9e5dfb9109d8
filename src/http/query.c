/* Query parameters: only known names, and each name at most once unless its value is a list. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "http/decode.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/request_private.h"

/* Only a value with escapes is copied, into the request's pool. */
static int decode_value(h2o_req_t *req, const char *data, size_t len, pl_slice_t *value_r)
{
    *value_r = (pl_slice_t){data, len};
    if (memchr(data, '%', len) == NULL && memchr(data, '+', len) == NULL)
        return 0;
    char *decoded = h2o_mem_alloc_pool(&req->pool, len + 1);
    ssize_t decoded_len = pl_decode_query(data, len, decoded);
    if (decoded_len < 0)
        return -1;
    *value_r = (pl_slice_t){decoded, (size_t)decoded_len};
    return 0;
}

static int refuse(pl_request_t *request, const char *what, pl_slice_t name)
{
    int len = name.len < 64 ? (int)name.len : 64;
    bool showable = pl_ascii_is_printable(name.data, (size_t)len);
    pl_problem_reply(request, PL_PROBLEM_INVALID_QUERY, "%s%s%.*s", what, showable ? ": " : "",
                     showable ? len : 0, name.data);
    return -1;
}

/* The memory for the first value has room for all values that may be joined to it. The rest of the
 * query is long enough: a further value takes at least one byte more in the query than in the list.
 * So a query with many values needs no more memory than its own length. */
static int start_list(h2o_req_t *req, const char *data, size_t len, pl_slice_t *list)
{
    size_t rest = (size_t)(req->path.base + req->path.len - data);
    char *room = h2o_mem_alloc_pool(&req->pool, rest + 1);
    ssize_t decoded_len = pl_decode_query(data, len, room);
    if (decoded_len < 0)
        return -1;
    *list = (pl_slice_t){room, (size_t)decoded_len};
    return 0;
}

static int join_list(const char *data, size_t len, pl_slice_t *list)
{
    ssize_t joined_len = pl_decode_list(data, len, (char *)(uintptr_t)list->data, list->len);
    if (joined_len < 0)
        return -1;
    list->len = (size_t)joined_len;
    return 0;
}

static int take_value(pl_request_t *request, const char *data, size_t len,
                      pl_query_parameter_t *parameter)
{
    bool is_repeated = parameter->value.data != NULL;
    pl_slice_t name = {parameter->name, strlen(parameter->name)};
    int rc;
    if (is_repeated && !parameter->is_list)
        return refuse(request, "a parameter is given more than once", name);
    if (is_repeated)
        rc = join_list(data, len, &parameter->value);
    else if (parameter->is_list)
        rc = start_list(request->req, data, len, &parameter->value);
    else
        rc = decode_value(request->req, data, len, &parameter->value);
    if (rc != 0)
        return refuse(request, "a bad percent escape", name);
    if (!pl_utf8_is_valid(parameter->value.data, parameter->value.len))
        return refuse(request, "a value is not valid UTF-8", name);
    return 0;
}

/* One name=value. */
static int take_pair(pl_request_t *request, const char *data, size_t len,
                     pl_query_parameter_t *parameters, size_t count)
{
    const char *equals = memchr(data, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - data) : len;
    const char *value_data = equals != NULL ? equals + 1 : data + len;
    size_t value_len = (size_t)(data + len - value_data);
    pl_slice_t name;
    if (decode_value(request->req, data, name_len, &name) != 0)
        return refuse(request, "a bad percent escape", (pl_slice_t){data, name_len});
    for (size_t i = 0; i < count; i++)
        if (pl_slice_is(name, parameters[i].name))
            return take_value(request, value_data, value_len, &parameters[i]);
    return refuse(request, "an unknown parameter", name);
}

int pl_request_query(pl_request_t *request, pl_query_parameter_t *parameters, size_t count)
{
    const h2o_req_t *req = request->req;
    assert(request->state == PL_REQUEST_LIVE);
    for (size_t i = 0; i < count; i++)
        parameters[i].value = (pl_slice_t){NULL, 0};
    if (req->query_at == SIZE_MAX)
        return 0;
    const char *at = req->path.base + req->query_at + 1;
    const char *end = req->path.base + req->path.len;
    while (at < end) {
        const char *ampersand = memchr(at, '&', (size_t)(end - at));
        const char *pair_end = ampersand != NULL ? ampersand : end;
        if (pair_end > at &&
            take_pair(request, at, (size_t)(pair_end - at), parameters, count) != 0)
            return -1;
        at = pair_end + 1;
    }
    return 0;
}

int pl_request_query_integer(pl_request_t *request, const pl_query_parameter_t *parameter,
                             int64_t min, int64_t max, int64_t fallback, int64_t *value_r)
{
    *value_r = fallback;
    if (parameter->value.data == NULL)
        return 0;
    if (pl_decode_integer(parameter->value.data, parameter->value.len, value_r) == 0 &&
        *value_r >= min && *value_r <= max)
        return 0;
    char pointer[64];
    snprintf(pointer, sizeof(pointer), "?%s", parameter->name);
    pl_problem_reply_field(request, pointer, "must be an integer from %lld to %lld", (long long)min,
                           (long long)max);
    return -1;
}
