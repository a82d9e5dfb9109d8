/* The address of a client: as text, and as a key to count by. */
#ifndef PL_HTTP_ADDRESS_H
#define PL_HTTP_ADDRESS_H

#include <h2o.h>
#include <stddef.h>
#include <stdint.h>

#include "http/server_options.h"

#define PL_ADDRESS_SIZE 46 /* of an IP address with the NUL at the end */

/* The IP address of the client: as a trusted edge gives it, else of the connection. "" if it is not
 * known. */
void pl_address_of(const h2o_req_t *req, const pl_server_options_t *options,
                   char address_r[PL_ADDRESS_SIZE]);

/* The key of an address in text: a whole IPv4 address, or the first half of an IPv6 address, whose
 * other half its owner chooses. 0: it is no address. */
int64_t pl_address_key(const char *text, size_t len);

#endif
