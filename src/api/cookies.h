/* The cookies of a login. A browser accepts the prefixes only from https; `__Host-` besides only
 * for this very host and all of its paths. */
#ifndef PL_API_COOKIES_H
#define PL_API_COOKIES_H

#define PL_ACCESS_COOKIE "__Host-parley"
#define PL_REFRESH_COOKIE "__Secure-parley-refresh"

#endif
