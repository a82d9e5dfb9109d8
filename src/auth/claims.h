/* The claims of a verified token. */
#ifndef PL_AUTH_CLAIMS_H
#define PL_AUTH_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_token_claims {
    int64_t user_id;    /* sub; 0 if an admin's token has none */
    bool admin;         /* scope, words separated by spaces, contains "admin" */
    int64_t expires_s;  /* exp, seconds since 1970 */
    int64_t issued_s;   /* iat; INT64_MIN if the token has none */
    int64_t session_id; /* sid of a token that our own key signed; 0: it has no session */
} pl_token_claims_t;

#endif
