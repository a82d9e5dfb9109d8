/* The limits of http/budget.h, over which a request is refused. */
#ifndef PL_HTTP_LIMIT_H
#define PL_HTTP_LIMIT_H

typedef enum pl_limit {
    PL_LIMIT_NONE, /* the request is within all limits */
    PL_LIMIT_USER_REQUESTS,
    PL_LIMIT_USER_UNSENT,
    PL_LIMIT_CONNECTION_UNSENT,
    PL_LIMIT_PROCESS_UNSENT,
    PL_LIMIT_USER_SHARE,
    PL_LIMIT_ADDRESS_SHARE,
    PL_LIMITS,
} pl_limit_t;

#endif
