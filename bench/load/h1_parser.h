/* Reads HTTP/1.1 answers as they come, in pieces of any size. Enough of the protocol for parleyd
 * and for nothing else: no trailers, no answers to HEAD or CONNECT. */
#ifndef PL_LOAD_H1_PARSER_H
#define PL_LOAD_H1_PARSER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/compiler.h"

typedef enum pl_load_h1_state {
    PL_LOAD_H1_HEAD, /* all-zero bytes are a parser before its first answer */
    PL_LOAD_H1_BODY,
    PL_LOAD_H1_CHUNK_SIZE,
    PL_LOAD_H1_CHUNK,
    PL_LOAD_H1_CHUNK_END,
    PL_LOAD_H1_LAST_LINE,
} pl_load_h1_state_t;

typedef struct pl_load_h1_parser {
    pl_load_h1_state_t state;
    int status;  /* of the current answer; 0 until its head has come */
    bool closes; /* the server will close the connection after this answer */
    uint64_t remaining;
    pl_buffer_t line; /* a head or a chunk's size that has not come entirely */
} pl_load_h1_parser_t;

typedef struct pl_load_h1_piece {
    const char *body; /* within the data that was given */
    size_t body_len;
    bool done; /* the answer ends here; status and closes are still its own */
} pl_load_h1_piece_t;

/* Takes the next piece (len > 0). Returns how many bytes it took, or -1 where they are no HTTP/1.1.
 */
ssize_t pl_load_h1_parse(pl_load_h1_parser_t *parser, const char *data, size_t len,
                         pl_load_h1_piece_t *piece) PL_MUST_USE;

/* Forgets what it has read, for a new connection. */
void pl_load_h1_parser_reset(pl_load_h1_parser_t *parser);
void pl_load_h1_parser_dispose(pl_load_h1_parser_t *parser);

#endif
