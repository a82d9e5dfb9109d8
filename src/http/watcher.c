#include "http/watcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/memory.h"

/* Hang-ups that one turn of the loop handles: when very many clients leave at once, other work
 * still gets its turn. */
#define MAX_PER_TURN 64

struct pl_watcher {
    int epoll_fd;
    h2o_socket_t *socket; /* the epoll descriptor in the loop; owns it */
};

/* One event at a time: handling one may remove any other watch. */
static void on_readable(h2o_socket_t *socket, const char *err)
{
    (void)err;
    pl_watcher_t *watcher = socket->data;
    struct epoll_event event;
    for (int i = 0; i < MAX_PER_TURN; i++) {
        if (epoll_wait(watcher->epoll_fd, &event, 1, 0) != 1)
            return;
        pl_watch_t *watch = event.data.ptr;
        watch->on_hangup(watch);
    }
}

pl_watcher_t *pl_watcher_create(pl_loop_t *loop)
{
    pl_watcher_t *watcher = pl_calloc(1, sizeof(*watcher));
    watcher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (watcher->epoll_fd < 0) {
        pl_log_error("watcher-failed", PL_S("detail", strerror(errno)));
        abort();
    }
    watcher->socket = h2o_evloop_socket_create(pl_loop_h2o(loop), watcher->epoll_fd,
                                               H2O_SOCKET_FLAG_DONT_READ);
    watcher->socket->data = watcher;
    h2o_socket_read_start(watcher->socket, on_readable);
    return watcher;
}

void pl_watcher_destroy(pl_watcher_t **watcher)
{
    if (*watcher == NULL)
        return;
    h2o_socket_close((*watcher)->socket);
    free(*watcher);
    *watcher = NULL;
}

void pl_watcher_add(pl_watcher_t *watcher, pl_watch_t *watch, int fd)
{
    if (watch->fd > 0)
        return;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = watch};
    if (epoll_ctl(watcher->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        /* The next heartbeat, or the end of the long-poll, still finds that the client has left. */
        pl_log_warn("watch-failed", PL_S("detail", strerror(errno)));
        return;
    }
    watch->fd = fd;
}

void pl_watcher_remove(pl_watcher_t *watcher, pl_watch_t *watch)
{
    if (watch->fd <= 0)
        return;
    struct epoll_event event = {0};
    epoll_ctl(watcher->epoll_fd, EPOLL_CTL_DEL, watch->fd, &event);
    watch->fd = -1;
}
