/* Writes JSON directly into a buffer, without a tree and without printf.
 *
 * Commas are automatic: a comma is put before a value or a key if the buffer's last byte ends a
 * value (it is `"`, `}`, `]`, a letter or a digit). So the calls just follow the structure:
 *
 *     pl_json_object_begin(b);
 *     pl_json_key(b, "messageId");
 *     pl_json_id(b, id);
 *     pl_json_object_end(b);
 *
 * Before the first value the buffer must be empty, or end in another byte (as "data: " does). It is
 * not checked that each begin has its end.
 */
#ifndef PL_BASE_JSON_WRITE_H
#define PL_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

void pl_json_object_begin(pl_buffer_t *buffer);
void pl_json_object_end(pl_buffer_t *buffer);
void pl_json_array_begin(pl_buffer_t *buffer);
void pl_json_array_end(pl_buffer_t *buffer);

/* key needs no escaping. */
void pl_json_key(pl_buffer_t *buffer, const char *key);

/* text must be valid UTF-8. Quotes, backslashes and control characters are escaped, so the result
 * has no newline and fits on one SSE data line. */
void pl_json_string(pl_buffer_t *buffer, const char *text, size_t len);
/* The number of bytes that it writes, without a comma. */
size_t pl_json_string_length(const char *text, size_t len);
/* The same up to the NUL; NULL writes null. */
void pl_json_text(pl_buffer_t *buffer, const char *text);

void pl_json_int64(pl_buffer_t *buffer, int64_t value);
void pl_json_bool(pl_buffer_t *buffer, bool value);
void pl_json_null(pl_buffer_t *buffer);

/* Writes a 64-bit id as a quoted decimal number, for clients whose numbers are doubles. id >= 0. */
void pl_json_id(pl_buffer_t *buffer, int64_t id);
/* The quoted id of user_id's conversation with peer_id. */
void pl_json_conversation_id(pl_buffer_t *buffer, int64_t user_id, int64_t peer_id);

/* Writes a value that is JSON already; not empty. */
void pl_json_raw(pl_buffer_t *buffer, const char *json, size_t len);

#endif
