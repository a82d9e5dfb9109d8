/*
 * Notices that an HTTP/1 client has left while its request is held.
 *
 * libh2o takes a connection out of its epoll set while a request is handled, so it sees neither FIN
 * nor RST (a long-poll of a dead client would stay until something is written). One further epoll
 * set per loop, itself watched by the loop, has those descriptors with EPOLLRDHUP. A half-closed
 * connection counts as left.
 */
#ifndef PL_HTTP_WATCHER_H
#define PL_HTTP_WATCHER_H

#include <stdbool.h>

#include "loop/loop.h"

typedef struct pl_watcher pl_watcher_t;
typedef struct pl_watch pl_watch_t;

/* Embedded in its object; zeroed and with on_hangup set before it is added. */
struct pl_watch {
    int fd; /* -1 or 0 while not watched */
    void (*on_hangup)(pl_watch_t *watch);
};

pl_watcher_t *pl_watcher_create(pl_loop_t *loop);
/* With nothing watched. */
void pl_watcher_destroy(pl_watcher_t **watcher);

/* Calls on_hangup once when the peer has closed or half-closed the connection. The watch must be
 * removed before the descriptor is closed. A watch that is already there stays. */
void pl_watcher_add(pl_watcher_t *watcher, pl_watch_t *watch, int fd);
void pl_watcher_remove(pl_watcher_t *watcher, pl_watch_t *watch);

#endif
