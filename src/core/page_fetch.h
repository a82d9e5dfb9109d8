/*
 * fetchConversation and fetchMessages: pages of a mailbox. fetchMessage and fetchConversationById:
 * one message or conversation in it.
 *
 *   cached, or the caller has one: version [-> session] --equal--> unchanged, or the cached page
 *                                                 `--else--.
 *   else --------------------------------------------------+-> page --no rows--> check-peer -->
 * empty page, not found
 *
 * Reading a version is cheap (many share one statement), and reading a page is not. Both are read
 * from the database after the request has arrived, so that every answer shows all earlier writes.
 *
 * A conversation with a user who exists is an empty page before its first message. A conversation
 * with a user who does not exist, or in which the caller takes no part, is not found.
 * fetchConversationById does not find a conversation before its first message either.
 *
 * The version comes with the time when a session of the user last ended. If the token may be older,
 * its session is read before the answer (PL_OUTCOME_SESSION_ENDED), once for each such time.
 *
 * If the caller has the present version of one message or conversation, the answer says so only if
 * it was found at that version.
 */
#ifndef PL_CORE_PAGE_FETCH_H
#define PL_CORE_PAGE_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/claims.h"
#include "core/flow.h"
#include "core/page_cache.h"

typedef struct pl_page_order {
    pl_page_key_t key;
    pl_token_claims_t bearer; /* whose token is refused if its session has ended */
    /* Whether the caller has the page of that version; NULL: it has none. Called during the flow,
     * unless the flow was abandoned. */
    bool (*has_version)(void *owner, int64_t version);
} pl_page_order_t;

typedef struct pl_page_result {
    pl_outcome_t outcome;
    int64_t version;
    /* With PL_OUTCOME_DONE; NULL: the caller has this version. The reference is the callee's. */
    pl_cached_page_t *page;
} pl_page_result_t;

/* Called once, on the loop, never before pl_page_fetch_start returns. */
typedef void (*pl_page_done_fn)(const pl_page_result_t *result, void *owner);

/* The flow lives until the callback; it may be abandoned. */
pl_flow_t *pl_page_fetch_start(pl_core_t *core, const pl_page_order_t *order,
                               pl_page_done_fn on_done, void *owner);

#endif
