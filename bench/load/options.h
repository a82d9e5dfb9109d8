/* The command line. */
#ifndef PL_LOAD_OPTIONS_H
#define PL_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef enum pl_load_kind {
    PL_LOAD_SEND,
    PL_LOAD_CONVERSATIONS,
    PL_LOAD_MESSAGES,
    PL_LOAD_STREAMS,
    PL_LOAD_PUSH,
    PL_LOAD_RECEIPTS,
    PL_LOAD_PRESENCE,
    PL_LOAD_GROUPS,
} pl_load_kind_t;

typedef struct pl_load_options {
    pl_load_kind_t kind;
    bool h2;
    char *authority; /* host:port, as the Host header has it */
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *users_file;
    uint32_t threads;
    uint32_t connections;
    uint32_t streams; /* requests at once on a connection; 1 over HTTP/1.1 */
    uint32_t peers;
    uint32_t receivers;
    uint32_t content_bytes;
    double rate;    /* 0: closed loop */
    double seconds; /* negative: not given */
    double warmup;
    bool zipf; /* otherwise users are drawn evenly */
    bool validate;
} pl_load_options_t;

/* Fills the options. Wrong ones are reported on stderr and end the program. */
void pl_load_options_parse(pl_load_options_t *options, int argc, char **argv);

#endif
