/*
 * Files that are part of the program: the OpenAPI document and the docs page. A file's ETag is
 * strong and is made of its content; a cache may use a copy after it has revalidated it. HTML is
 * sent with a policy (CSP) that lets the page load nothing from other sites.
 */
#ifndef PL_HTTP_STATIC_H
#define PL_HTTP_STATIC_H

#include "http/router.h"

/* Constant data. */
typedef struct pl_static_file {
    const char *path; /* "/openapi.json" */
    const char *content_type;
    const char *etag;                    /* with its quotes */
    const char *content_security_policy; /* NULL: none */
    const unsigned char *data;
    size_t len;
} pl_static_file_t;

/* The build makes these from files (src/http/sources.cmake). */
extern const pl_static_file_t pl_static_files[];
extern const size_t pl_static_files_count;

/* Answers with the file, or 304. */
void pl_static_reply(pl_request_t *request, const pl_static_file_t *file);

/* GET /openapi.json, GET /docs, and GET /, which leads to /docs. */
void pl_static_add_routes(pl_router_t *router);

#endif
