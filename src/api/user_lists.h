/* Answers of pages of users: fetchGroupMembers, fetchMessageReceipts and fetchReactions. */
#ifndef PL_API_USER_LISTS_H
#define PL_API_USER_LISTS_H

#include "api/context.h"
#include "core/user_list.h"

/* The query's parameters: pageSize and after, and for reactions emoji, which is valid as long as
 * the request. -1: the request is answered. */
int pl_user_lists_decode(pl_request_t *request, pl_user_list_order_t *order) PL_MUST_USE;

/* Fetches the page and answers with it. */
void pl_user_lists_answer(const pl_api_t *api, pl_request_t *request,
                          const pl_user_list_order_t *order);

#endif
