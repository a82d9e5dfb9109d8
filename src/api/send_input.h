/* The body of sendMessage. */
#ifndef PL_API_SEND_INPUT_H
#define PL_API_SEND_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "api/body.h"
#include "auth/token.h"
#include "base/compiler.h"
#include "base/json_read.h"
#include "core/send.h"

typedef struct pl_send_input {
    /* The order of an acceptable body. It is not known yet whether the users, the group and the
     * replied-to message exist. The texts are freed with this struct. */
    pl_send_order_t order;
    pl_buffer_t metadata;
    pl_json_t *json;
} pl_send_input_t;

/* -1: refused, and nothing is to be disposed of. The problems: invalid-json, validation-failed,
 * message-too-large, forbidden (another's senderId), conversation-not-found (not the sender's). */
int pl_send_input_decode(const char *body, size_t len, const pl_token_claims_t *caller,
                         pl_send_input_t *input, pl_refusal_t *refusal) PL_MUST_USE;

void pl_send_input_dispose(pl_send_input_t *input);

#endif
