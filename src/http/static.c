#include "http/static.h"

#include <string.h>

void pl_static_reply(pl_request_t *request, const pl_static_file_t *file)
{
    if (pl_request_has_etag(request, file->etag)) {
        pl_request_reply_not_modified(request, file->etag, PL_CACHE_PUBLIC);
        return;
    }
    pl_reply_t reply = {
        .status = 200,
        .cache = PL_CACHE_PUBLIC,
        .content_type = file->content_type,
        .etag = file->etag,
        .content_security_policy = file->content_security_policy,
    };
    pl_request_reply_shared(request, &reply, (const char *)file->data, file->len, NULL, NULL);
}

static void reply_with_path(pl_request_t *request, const char *path)
{
    if (pl_request_query(request, NULL, 0) != 0)
        return;
    for (size_t i = 0; i < pl_static_files_count; i++) {
        if (strcmp(pl_static_files[i].path, path) == 0) {
            pl_static_reply(request, &pl_static_files[i]);
            return;
        }
    }
}

static void on_openapi(pl_request_t *request, void *worker)
{
    (void)worker;
    reply_with_path(request, "/openapi.json");
}

static void on_docs(pl_request_t *request, void *worker)
{
    (void)worker;
    reply_with_path(request, "/docs");
}

static void on_root(pl_request_t *request, void *worker)
{
    (void)worker;
    if (pl_request_query(request, NULL, 0) == 0)
        pl_request_reply(request, &(pl_reply_t){.status = 307, .location = "/docs"}, NULL);
}

void pl_static_add_routes(pl_router_t *router)
{
    static const pl_route_t routes[] = {
        {"fetchOpenapi", "GET", "/openapi.json", on_openapi, PL_ROUTE_PUBLIC},
        {"fetchDocs", "GET", "/docs", on_docs, PL_ROUTE_PUBLIC},
        {"redirectToDocs", "GET", "/", on_root, PL_ROUTE_PUBLIC},
    };
    pl_router_add(router, routes, sizeof(routes) / sizeof(routes[0]));
}
