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
    int64_t sender_id; /* the caller, or whom an admin names */
    /* A user, who may be the sender, or a group; whether it exists is not known. */
    int64_t peer_id;
    /* Texts die with `json`. */
    const char *client_message_id;
    size_t client_message_id_len;
    const char *content;
    size_t content_len;
    int64_t reply_to;     /* a messageId; whether there is such a message is not known. 0: none */
    pl_buffer_t metadata; /* JSON; empty: none */
    pl_json_t *json;
} pl_send_input_t;

/* -1: refused, and nothing is to be disposed of. The problems: invalid-json, validation-failed,
 * message-too-large, forbidden (another's senderId), conversation-not-found (not the sender's). */
int pl_send_input_decode(const char *body, size_t len, const pl_token_claims_t *caller,
                         pl_send_input_t *input, pl_refusal_t *refusal) PL_MUST_USE;

void pl_send_input_dispose(pl_send_input_t *input);

#endif
