/* How far a TCP connection's peer has taken what was sent. In a file of its own because only the
 * kernel's header knows it, and that one does not go together with libc's. */
#ifndef PL_HTTP_TCP_PROGRESS_H
#define PL_HTTP_TCP_PROGRESS_H

#include <stdint.h>

/* Bytes that the peer has acknowledged since the connection began; 0 if the kernel does not
 * tell. */
uint64_t pl_tcp_acknowledged(int fd);

#endif
