/* Finds the caller of a request. */
#ifndef PL_HTTP_AUTHENTICATE_H
#define PL_HTTP_AUTHENTICATE_H

#include <stdbool.h>

#include "base/compiler.h"

struct pl_request;

/* Looks for a token in Authorization and, unless `is_optional`, in the login's cookie. 0: the token
 * is valid and the request has its claims, or there is none and it is optional. -1: the request was
 * answered. */
int pl_authenticate(struct pl_request *request, bool is_optional) PL_MUST_USE;

#endif
