#include "http/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "http/audit.h"
#include "http/measure.h"

static const struct {
    const char *code;
    int status;
    const char *title;
} problems[] = {
#define X(name, code, status, title) {code, status, title},
    PL_PROBLEMS(X)
#undef X
};

const char *pl_problem_code(pl_problem_t problem)
{
    return problems[problem].code;
}

int pl_problem_status(pl_problem_t problem)
{
    return problems[problem].status;
}

const char *pl_problem_title(pl_problem_t problem)
{
    return problems[problem].title;
}

pl_problem_t pl_problem_of_error(enum pl_error_code code)
{
    switch (code) {
    case PL_ERROR_UNAVAILABLE:
        return PL_PROBLEM_UNAVAILABLE;
    case PL_ERROR_OUTCOME_UNKNOWN:
        return PL_PROBLEM_OUTCOME_UNKNOWN;
    case PL_ERROR_OVERLOADED:
        return PL_PROBLEM_OVERLOADED;
    case PL_ERROR_DEADLINE:
        return PL_PROBLEM_DEADLINE_EXCEEDED;
    case PL_ERROR_INVALID:
        return PL_PROBLEM_VALIDATION_FAILED;
    case PL_OK:
    case PL_ERROR_SQL:
    case PL_ERROR_INTERNAL:
        break;
    }
    return PL_PROBLEM_INTERNAL_ERROR;
}

void pl_problem_fields_add(pl_problem_fields_t *fields, const char *pointer, const char *format,
                           ...)
{
    if (fields->count == PL_PROBLEM_MAX_FIELDS)
        return;
    size_t i = fields->count++;
    snprintf(fields->items[i].pointer, sizeof(fields->items[i].pointer), "%s", pointer);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fields->items[i].detail, sizeof(fields->items[i].detail), format, arguments);
    va_end(arguments);
}

static void write_fields(pl_buffer_t *out, const pl_problem_fields_t *fields)
{
    pl_json_key(out, "errors");
    pl_json_array_begin(out);
    for (size_t i = 0; i < fields->count; i++) {
        pl_json_object_begin(out);
        pl_json_key(out, "pointer");
        pl_json_text(out, fields->items[i].pointer);
        pl_json_key(out, "detail");
        pl_json_text(out, fields->items[i].detail);
        pl_json_object_end(out);
    }
    pl_json_array_end(out);
}

void pl_problem_write(pl_buffer_t *out, pl_problem_t problem, const char *detail,
                      const char *request_id, const pl_problem_fields_t *fields)
{
    char type[64];
    snprintf(type, sizeof(type), "/docs#problem-%s", problems[problem].code);
    pl_json_object_begin(out);
    pl_json_key(out, "type");
    pl_json_text(out, type);
    pl_json_key(out, "title");
    pl_json_text(out, problems[problem].title);
    pl_json_key(out, "status");
    pl_json_int64(out, problems[problem].status);
    pl_json_key(out, "detail");
    pl_json_text(out, detail);
    pl_json_key(out, "code");
    pl_json_text(out, problems[problem].code);
    if (request_id != NULL) {
        pl_json_key(out, "requestId");
        pl_json_text(out, request_id);
    }
    if (fields != NULL && fields->count > 0)
        write_fields(out, fields);
    pl_json_object_end(out);
}

/* Adds the headers that the status requires and sends the problem. `reply` may have further ones.
 */
static void send_problem(pl_request_t *request, pl_problem_t problem, const char *detail,
                         const pl_problem_fields_t *fields, pl_reply_t *reply)
{
    if (!pl_request_is_live(request))
        return;
    int status = problems[problem].status;
    reply->status = status;
    reply->content_type = "application/problem+json";
    if ((status == 429 || status == 503) && reply->retry_after_s == 0)
        reply->retry_after_s = PL_RETRY_AFTER_S;
    if (status == 429)
        pl_audit(request, &(pl_audit_t){.volume = PL_AUDIT_REFUSED,
                                        .action = "rate-limit",
                                        .outcome = problems[problem].code});
    if (problem == PL_PROBLEM_UNAUTHENTICATED || problem == PL_PROBLEM_INVALID_CREDENTIALS)
        reply->www_authenticate = "Bearer realm=\"parley\"";
    else if (status == 401)
        reply->www_authenticate = "Bearer realm=\"parley\", error=\"invalid_token\"";
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_problem_write(&body, problem, detail, pl_request_id(request), fields);
    pl_request_reply(request, reply, &body);
}

void pl_problem_reply_with(pl_request_t *request, pl_problem_t problem, pl_reply_t *reply,
                           const char *format, ...)
{
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    send_problem(request, problem, detail, NULL, reply);
}

void pl_problem_reply(pl_request_t *request, pl_problem_t problem, const char *format, ...)
{
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    send_problem(request, problem, detail, NULL, &(pl_reply_t){0});
}

/* "/recipientId: must be a userId; /messageContent: is required" */
static void list_fields(pl_buffer_t *out, const pl_problem_fields_t *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const char *pointer = fields->items[i].pointer;
        pl_buffer_append_text(out, i > 0 ? "; " : "");
        pl_buffer_append_text(out, pointer[0] != '\0' ? pointer : "the body");
        pl_buffer_append_text(out, ": ");
        pl_buffer_append_text(out, fields->items[i].detail);
    }
}

void pl_problem_reply_fields(pl_request_t *request, pl_problem_t problem,
                             const pl_problem_fields_t *fields)
{
    assert(fields->count > 0);
    pl_buffer_t detail = PL_BUFFER_EMPTY;
    list_fields(&detail, fields);
    send_problem(request, problem, pl_buffer_terminate(&detail), fields, &(pl_reply_t){0});
    pl_buffer_dispose(&detail);
}

void pl_problem_reply_field(pl_request_t *request, const char *pointer, const char *format, ...)
{
    char detail[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    pl_problem_fields_t fields = {0};
    pl_problem_fields_add(&fields, pointer, "%s", detail);
    pl_problem_reply_fields(request, PL_PROBLEM_VALIDATION_FAILED, &fields);
}

void pl_problem_reply_limit(pl_request_t *request, pl_limit_t limit)
{
    static const struct {
        pl_problem_t problem;
        const char *detail;
    } answers[PL_LIMITS] = {
        [PL_LIMIT_USER_REQUESTS] = {.problem = PL_PROBLEM_TOO_MANY_REQUESTS,
                                    .detail = "Too many requests of this user are in flight."},
        [PL_LIMIT_USER_UNSENT] = {.problem = PL_PROBLEM_TOO_MANY_REQUESTS,
                                  .detail = "The user has not read earlier answers yet."},
        [PL_LIMIT_CONNECTION_UNSENT] = {.problem = PL_PROBLEM_TOO_MANY_REQUESTS,
                                        .detail =
                                            "This connection has not read earlier answers yet."},
        [PL_LIMIT_USER_SHARE] =
            {.problem = PL_PROBLEM_TOO_MANY_REQUESTS,
             .detail = "The user has too many long-polls and streams, watched users or exports."},
        [PL_LIMIT_ADDRESS_SHARE] = {.problem = PL_PROBLEM_TOO_MANY_REQUESTS,
                                    .detail = "From this address come too many long-polls and "
                                              "streams, watched users or exports."},
        [PL_LIMIT_PROCESS_UNSENT] = {.problem = PL_PROBLEM_OVERLOADED,
                                     .detail = "Too many answers wait for their clients."},
    };

    assert(answers[limit].detail != NULL);
    pl_measure_refused(limit);
    pl_problem_reply(request, answers[limit].problem, "%s", answers[limit].detail);
}

void pl_problem_reply_error(pl_request_t *request, const pl_error_t *error)
{
    pl_problem_t problem = pl_problem_of_error(error->code);
    bool is_for_clients = error->code == PL_ERROR_INVALID;
    send_problem(request, problem, is_for_clients ? error->message : problems[problem].title, NULL,
                 &(pl_reply_t){0});
}
