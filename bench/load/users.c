#include "load/users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A userId is a positive int64_t. */
#define ID_LENGTH_MAX 19
#define TOKEN_LENGTH_MAX 8192

static int add(pl_load_users_t *users, const char *line, size_t len, const char *authority)
{
    static const char bearer[] = "Authorization: ";
    const char *space = memchr(line, ' ', len);
    size_t id_len = space != NULL ? (size_t)(space - line) : 0;
    const char *group = space != NULL ? memchr(space + 1, ' ', len - id_len - 1) : NULL;
    size_t group_len = group != NULL ? (size_t)(line + len - group) - 1 : 0;
    size_t token_len = len - id_len - 1 - (group != NULL ? group_len + 1 : 0);
    pl_load_user_t *user;
    char *text;
    char *head;
    int head_len;

    if (id_len == 0 || id_len > ID_LENGTH_MAX || token_len == 0 || token_len > TOKEN_LENGTH_MAX ||
        (group != NULL && (group_len == 0 || group_len > ID_LENGTH_MAX)))
        return -1;
    if ((users->count & (users->count - 1)) == 0)
        users->user = pl_reallocarray(users->user, users->count > 0 ? users->count * 2 : 1,
                                      sizeof(*user));
    text = pl_memdup(line, id_len);
    head_len = asprintf(&head,
                        " HTTP/1.1\r\nHost: %s\r\n%sBearer %.*s\r\n"
                        "Content-Type: application/json\r\n",
                        authority, bearer, (int)token_len, space + 1);
    if (head_len < 0)
        abort();
    user = &users->user[users->count++];
    *user = (pl_load_user_t){
        .id = text,
        .id_len = (uint8_t)id_len,
        .group = group != NULL ? pl_memdup(group + 1, group_len) : NULL,
        .group_len = (uint8_t)group_len,
        .head = head,
        .head_len = (uint32_t)head_len,
        .authorization = strstr(head, bearer) + sizeof(bearer) - 1,
        .authorization_len = (uint16_t)(sizeof("Bearer ") - 1 + token_len),
    };
    return 0;
}

int pl_load_users_read(pl_load_users_t *users, const char *path, const char *authority,
                       pl_error_t *error)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int result = 0;

    *users = (pl_load_users_t){0};
    if (file == NULL) {
        pl_error_set(error, PL_ERROR_INVALID, "%s: %s", path, strerror(errno));
        return -1;
    }
    while (result == 0 && (len = getline(&line, &size, file)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        result = add(users, line, (size_t)len, authority);
        if (result != 0)
            pl_error_set(error, PL_ERROR_INVALID, "%s: line %u is not \"userId token [groupId]\"",
                         path, users->count + 1);
    }
    free(line);
    (void)fclose(file);
    if (result == 0 && users->count == 0) {
        pl_error_set(error, PL_ERROR_INVALID, "%s: no users", path);
        result = -1;
    }
    return result;
}

void pl_load_users_dispose(pl_load_users_t *users)
{
    for (uint32_t i = 0; i < users->count; i++) {
        free((char *)users->user[i].id);
        free((char *)users->user[i].group);
        free((char *)users->user[i].head);
    }
    free(users->user);
    *users = (pl_load_users_t){0};
}
