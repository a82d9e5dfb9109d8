/* The text of a place in the list of a user's conversations, which clients hand back to get the
 * page after it. They do not look into it. The place stays where it is when messages arrive. */
#ifndef PL_CORE_PAGE_CURSOR_H
#define PL_CORE_PAGE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/id.h"

#define PL_PAGE_CURSOR_SIZE ((size_t)2 * PL_ID_TEXT_SIZE)

/* The place of a conversation that has this last message. Writes a NUL. */
void pl_page_cursor_format(char text[PL_PAGE_CURSOR_SIZE], int64_t last_message_id,
                           int64_t peer_id);

/* -1: it is no such text; then the results do not change. */
int pl_page_cursor_parse(const char *text, size_t len, int64_t *last_message_id_r,
                         int64_t *peer_id_r) PL_MUST_USE;

#endif
