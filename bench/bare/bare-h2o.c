/*
 * bare-h2o FILE ETAG CONTENT-TYPE: answers every request with the file, or with 304, over HTTP/1.1
 * and h2c on one thread, with the same headers as parleyd. It shows the cost of libh2o without
 * parleyd. Prints its port; runs until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_context;
static h2o_iovec_t content;
static h2o_iovec_t etag;
static h2o_iovec_t content_type;

static void die(const char *what)
{
    (void)fprintf(stderr, "bare-h2o: %s: %s\n", what, strerror(errno));
    exit(1);
}

static h2o_iovec_t read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    h2o_iovec_t data;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die(path);
    data.len = (size_t)ftell(file);
    data.base = h2o_mem_alloc(data.len);
    rewind(file);
    if (fread(data.base, 1, data.len, file) != data.len)
        die(path);
    (void)fclose(file);
    return data;
}

static void add(h2o_req_t *request, const h2o_token_t *name, h2o_iovec_t value)
{
    h2o_add_header(&request->pool, &request->res.headers, name, NULL, value.base, value.len);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *request)
{
    static h2o_generator_t generator;
    ssize_t at = h2o_find_header(&request->headers, H2O_TOKEN_IF_NONE_MATCH, -1);

    (void)handler;
    add(request, H2O_TOKEN_CACHE_CONTROL, h2o_iovec_init(H2O_STRLIT("public, no-cache")));
    add(request, H2O_TOKEN_ETAG, etag);
    if (at >= 0 && h2o_memis(request->headers.entries[at].value.base,
                             request->headers.entries[at].value.len, etag.base, etag.len)) {
        request->res.status = 304;
        request->res.reason = "Not Modified";
        h2o_start_response(request, &generator);
        h2o_send(request, NULL, 0, H2O_SEND_STATE_FINAL);
        return 0;
    }
    request->res.status = 200;
    request->res.reason = "OK";
    request->res.content_length = content.len;
    add(request, H2O_TOKEN_CONTENT_TYPE, content_type);
    h2o_start_response(request, &generator);
    h2o_send(request, &content, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    h2o_socket_t *socket;

    if (error == NULL && (socket = h2o_evloop_socket_accept(listener)) != NULL)
        h2o_accept(&accept_context, socket);
}

static void listen_anywhere(h2o_loop_t *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        die("listen");
    h2o_socket_read_start(h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ), on_accept);
    (void)printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fputs("usage: bare-h2o FILE ETAG CONTENT-TYPE\n", stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    content = read_file(argv[1]);
    etag = h2o_iovec_init(argv[2], strlen(argv[2]));
    content_type = h2o_iovec_init(argv[3], strlen(argv[3]));
    h2o_config_init(&config);
    h2o_hostconf_t *host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")),
                                                    65535);
    h2o_handler_t *handler = h2o_create_handler(h2o_config_register_path(host, "/", 0),
                                                sizeof(*handler));
    handler->on_req = on_request;
    h2o_context_init(&context, h2o_evloop_create(), &config);
    accept_context.ctx = &context;
    accept_context.hosts = config.hosts;
    listen_anywhere(context.loop);
    while (h2o_evloop_run(context.loop, INT32_MAX) == 0)
        ;
    return 1;
}
