/* The address of a client, as a key to count by. */
#ifndef PL_HTTP_ADDRESS_H
#define PL_HTTP_ADDRESS_H

#include <h2o.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The key of an address in text: a whole IPv4 address, or the first half of an IPv6 address, whose
 * other half its owner chooses. 0: it is no address. */
int64_t pl_address_key(const char *text, size_t len);

/* The key of the client's address: what the edge says in X-Forwarded-For if that is trusted and
 * there, else the address of the connection. */
int64_t pl_address_of(h2o_req_t *req, bool trusts_forwarded);

#endif
