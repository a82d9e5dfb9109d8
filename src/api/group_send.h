/*
 * sendMessage to a group: its first-written copy goes to the group's own mailbox, and from there,
 * by what that owes, to every member's.
 */
#ifndef PL_API_GROUP_SEND_H
#define PL_API_GROUP_SEND_H

#include "api/context.h"
#include "api/send_input.h"

void pl_group_send_start(pl_api_t *api, pl_request_t *request, const pl_send_input_t *input);

#endif
