/* The status line and the headers of a response. */
#ifndef PL_HTTP_RESPONSE_HEAD_H
#define PL_HTTP_RESPONSE_HEAD_H

#include <h2o.h>

/* "Not Found" for 404. */
const char *pl_response_reason(int status);

/* Adds a header with a copied value. `name` is a literal in lower case. */
void pl_response_add_header(h2o_req_t *req, const char *name, const char *value);

/* The headers of every response: a browser takes the content type as it is said, and tells no other
 * site the address of a page. */
void pl_response_add_common_headers(h2o_req_t *req);

#endif
