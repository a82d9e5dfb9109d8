/* Answers of pages of a mailbox, and of one message or conversation. */
#ifndef PL_API_PAGES_H
#define PL_API_PAGES_H

#include "api/context.h"
#include "core/page_fetch.h"

#define PL_PAGE_SIZE_MAX 100
/* Cursors are microseconds, and JSON numbers that every client can represent exactly. */
#define PL_CURSOR_MAX ((INT64_C(1) << 53) - 1)
/* The year 2001 in microseconds, which is before any version: a lower cursor other than 0 is in
 * another unit. */
#define PL_CURSOR_MIN INT64_C(1000000000000000)

/* A cursor from the query, or `fallback` if it was not given. -1: the value is no cursor, and the
 * request was answered with a 422, which says if the value looks like milliseconds. */
int pl_pages_decode_cursor(pl_request_t *request, const pl_query_parameter_t *parameter,
                           int64_t fallback, int64_t *cursor_r) PL_MUST_USE;

/* The query's parameters of a page of conversations or messages. `key` has its kind and user. -1:
 * answered. */
int pl_pages_decode(pl_request_t *request, int64_t default_size, pl_page_key_t *key) PL_MUST_USE;

/* Fetches the page and answers with it, or with 304. */
void pl_pages_answer(pl_api_t *api, pl_request_t *request, const pl_page_key_t *key);

#endif
