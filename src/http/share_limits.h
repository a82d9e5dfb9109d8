/* What the process has for all, of which a user and an address may have a part (http/budget.h). */
#ifndef PL_HTTP_SHARE_LIMITS_H
#define PL_HTTP_SHARE_LIMITS_H

#include <stddef.h>

typedef enum pl_share {
    PL_SHARE_WAITERS, /* long-polls and streams */
    PL_SHARE_WATCHED, /* users whose presence is watched, once for each stream */
    PL_SHARE_EXPORTS,
    PL_SHARES,
} pl_share_t;

/* How much one may have, on one worker. */
typedef struct pl_share_limits {
    size_t per_user;
    size_t per_address;
} pl_share_limits_t;

#endif
