/* The users that the requests act for. */
#ifndef PL_LOAD_USERS_H
#define PL_LOAD_USERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

typedef struct pl_load_user {
    const char *id;
    const char *group; /* NULL, or the group to which the user sends */
    const char *head;  /* " HTTP/1.1" and the header lines that are the same in each request */
    const char *authorization; /* the header's value, inside head */
    uint32_t head_len;
    uint16_t authorization_len;
    uint8_t id_len;
    uint8_t group_len;
} pl_load_user_t;

typedef struct pl_load_users {
    uint32_t count;
    pl_load_user_t *user;
} pl_load_users_t;

/* Reads lines of "userId token" or "userId token groupId". Returns 0, or -1 with the error. Call
 * dispose in both cases. */
int pl_load_users_read(pl_load_users_t *users, const char *path, const char *authority,
                       pl_error_t *error) PL_MUST_USE;
void pl_load_users_dispose(pl_load_users_t *users);

#endif
