/* Reads HTTP/1.1 answers in pieces of any size. It supports only the part of the protocol that
 * parleyd uses: no trailers, no answers to HEAD or CONNECT. */
#ifndef PL_LOAD_H1_PARSER_H
#define PL_LOAD_H1_PARSER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/compiler.h"

typedef enum pl_load_h1_state {
    PL_LOAD_H1_HEAD, /* a zeroed parser is ready for its first answer */
    PL_LOAD_H1_BODY,
    PL_LOAD_H1_CHUNK_SIZE,
    PL_LOAD_H1_CHUNK,
    PL_LOAD_H1_CHUNK_END,
    PL_LOAD_H1_LAST_LINE,
} pl_load_h1_state_t;

typedef struct pl_load_h1_parser {
    pl_load_h1_state_t state;
    int status;  /* of the current answer; 0 until its head has arrived */
    bool closes; /* the server will close the connection after this answer */
    uint64_t remaining;
    pl_buffer_t line; /* an incomplete head or chunk size */
} pl_load_h1_parser_t;

typedef struct pl_load_h1_piece {
    const char *body; /* within the given data */
    size_t body_len;
    bool done; /* the answer ends here; status and closes are still those of this answer */
} pl_load_h1_piece_t;

/* Takes the next piece (len > 0). Returns the number of bytes taken, or -1 if they are not
 * HTTP/1.1. */
ssize_t pl_load_h1_parse(pl_load_h1_parser_t *parser, const char *data, size_t len,
                         pl_load_h1_piece_t *piece) PL_MUST_USE;

/* Discards what was read, for a new connection. */
void pl_load_h1_parser_reset(pl_load_h1_parser_t *parser);
void pl_load_h1_parser_dispose(pl_load_h1_parser_t *parser);

#endif
