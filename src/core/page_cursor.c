#include "core/page_cursor.h"

#include <string.h>

#define SEPARATOR '.'

void pl_page_cursor_format(char text[PL_PAGE_CURSOR_SIZE], int64_t last_message_id, int64_t peer_id)
{
    size_t len = pl_id_format(text, last_message_id);

    text[len++] = SEPARATOR;
    (void)pl_id_format(text + len, peer_id);
}

int pl_page_cursor_parse(const char *text, size_t len, int64_t *last_message_id_r,
                         int64_t *peer_id_r)
{
    const char *separator = memchr(text, SEPARATOR, len);
    int64_t last_message_id, peer_id;

    if (separator == NULL)
        return -1;
    size_t first_len = (size_t)(separator - text);
    if (pl_id_parse(text, first_len, &last_message_id) != 0 ||
        pl_id_parse(separator + 1, len - first_len - 1, &peer_id) != 0)
        return -1;
    *last_message_id_r = last_message_id;
    *peer_id_r = peer_id;
    return 0;
}
