#include "admin/admin.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/memory.h"
#include "base/metrics.h"

#define MAX_CHECKS 16
/* There are only a few scrapers and probes. */
#define MAX_CONNECTIONS 100
#define MAX_REQUESTS_IN_FLIGHT 100
#define MAX_UNSENT 67108864
#define MAX_BODY 1024
#define STALL_S 10

struct check {
    const char *name;
    pl_ready_check_fn is_ready;
    void *owner;
};

struct pl_admin {
    pl_router_t *router;
    pl_server_t *server;
    pl_server_worker_t *worker;
    struct check checks[MAX_CHECKS];
    size_t checks_count;
    bool is_draining;
    void (*on_destroyed)(void *owner);
    void *owner;
};

static void on_metrics(pl_request_t *request, void *context)
{
    (void)context;
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_metrics_render(&body);
    pl_reply_t reply = {.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8"};
    pl_request_reply(request, &reply, &body);
}

/* Shows only that this loop runs. It does not look at the databases, because an unreachable
 * database is no reason to restart the process. */
static void on_healthz(pl_request_t *request, void *context)
{
    (void)context;
    pl_buffer_t body = PL_BUFFER_EMPTY;
    pl_buffer_append_text(&body, "{\"status\":\"ok\"}\n");
    pl_request_reply(request, &(pl_reply_t){.status = 200}, &body);
}

static void write_failure(pl_buffer_t *body, const char *name, const char *detail)
{
    pl_json_object_begin(body);
    pl_json_key(body, "check");
    pl_json_text(body, name);
    pl_json_key(body, "detail");
    pl_json_text(body, detail);
    pl_json_object_end(body);
}

static void on_readyz(pl_request_t *request, void *context)
{
    pl_admin_t *admin = context;
    pl_buffer_t failures = PL_BUFFER_EMPTY, body = PL_BUFFER_EMPTY;
    bool is_ready = !admin->is_draining;
    pl_json_array_begin(&failures);
    if (admin->is_draining)
        write_failure(&failures, "draining", "the server is shutting down");
    for (size_t i = 0; i < admin->checks_count; i++) {
        const struct check *check = &admin->checks[i];
        char detail[200] = "";
        if (check->is_ready(check->owner, detail, sizeof(detail)))
            continue;
        is_ready = false;
        write_failure(&failures, check->name, detail);
    }
    pl_json_array_end(&failures);
    pl_json_object_begin(&body);
    pl_json_key(&body, "status");
    pl_json_text(&body, is_ready ? "ready" : "not-ready");
    pl_json_key(&body, "failures");
    pl_json_raw(&body, failures.data, failures.len);
    pl_json_object_end(&body);
    pl_buffer_append_char(&body, '\n');
    pl_buffer_dispose(&failures);
    pl_request_reply(request, &(pl_reply_t){.status = is_ready ? 200 : 503}, &body);
}

static const pl_route_t routes[] = {
    {"metrics", "GET", "/metrics", on_metrics, PL_ROUTE_PUBLIC},
    {"healthz", "GET", "/healthz", on_healthz, PL_ROUTE_PUBLIC},
    {"readyz", "GET", "/readyz", on_readyz, PL_ROUTE_PUBLIC},
};

int pl_admin_create(pl_loop_t *loop, const char *address, uint16_t port, pl_admin_t **admin_r,
                    pl_error_t *error)
{
    pl_server_options_t options = {
        .name = "admin",
        .address = address,
        .port = port,
        .workers = 1,
        .max_connections = MAX_CONNECTIONS,
        .max_requests_in_flight_per_connection = MAX_REQUESTS_IN_FLIGHT,
        .max_requests_in_flight_per_user = MAX_REQUESTS_IN_FLIGHT,
        .max_unsent_per_user = MAX_UNSENT,
        .max_unsent_per_connection = MAX_UNSENT,
        .max_unsent = MAX_UNSENT,
        .max_request_body = MAX_BODY,
        .stream_stall_s = STALL_S,
        .drain_timeout_s = 1,
    };
    pl_admin_t *admin = pl_calloc(1, sizeof(*admin));
    admin->router = pl_router_create();
    pl_router_add(admin->router, routes, sizeof(routes) / sizeof(routes[0]));
    if (pl_server_create(&options, admin->router, &admin->server, error) != 0) {
        pl_router_destroy(&admin->router);
        free(admin);
        return -1;
    }
    admin->worker = pl_server_worker_create(admin->server, loop, 0, admin, NULL);
    pl_server_worker_start(admin->worker);
    *admin_r = admin;
    return 0;
}

void pl_admin_add_check(pl_admin_t *admin, const char *name, pl_ready_check_fn check, void *owner)
{
    assert(admin->checks_count < MAX_CHECKS);
    admin->checks[admin->checks_count++] = (struct check){name, check, owner};
}

void pl_admin_set_draining(pl_admin_t *admin)
{
    admin->is_draining = true;
}

uint16_t pl_admin_port(const pl_admin_t *admin)
{
    return pl_server_port(admin->server);
}

static void on_worker_destroyed(void *owner)
{
    pl_admin_t *admin = owner;
    void (*on_destroyed)(void *) = admin->on_destroyed;
    void *destroyed_owner = admin->owner;
    pl_server_destroy(&admin->server);
    pl_router_destroy(&admin->router);
    free(admin);
    if (on_destroyed != NULL)
        on_destroyed(destroyed_owner);
}

void pl_admin_destroy(pl_admin_t **admin_p, void (*on_destroyed)(void *), void *owner)
{
    pl_admin_t *admin = *admin_p;
    *admin_p = NULL;
    admin->on_destroyed = on_destroyed;
    admin->owner = owner;
    pl_server_worker_destroy(&admin->worker, on_worker_destroyed, admin);
}
