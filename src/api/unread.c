/* fetchUnread and markAllRead. */
#include "core/unread.h"
#include "api/body.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/pages.h"
#include "base/json_write.h"
#include "http/problem.h"

/* ---- fetchUnread ---- */

static void totals_to_json(pl_buffer_t *out, const pl_unread_totals_t *totals)
{
    pl_json_object_begin(out);
    pl_json_key(out, "conversationCount");
    pl_json_int64(out, totals->conversations_count);
    pl_json_key(out, "messageCount");
    pl_json_int64(out, totals->messages_count);
    pl_json_key(out, "hasMore");
    pl_json_bool(out, totals->has_more);
    pl_json_object_end(out);
}

static void on_fetched(const pl_outcome_t *outcome, const pl_unread_totals_t *totals, void *owner)
{
    pl_buffer_t body = PL_BUFFER_EMPTY;

    if (outcome->code == PL_OUTCOME_DONE)
        totals_to_json(&body, totals);
    pl_api_finish(owner, outcome, &body);
}

void pl_on_fetch_unread(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id != 0 && pl_request_query(request, NULL, 0) == 0)
        pl_api_abandon_with(request, pl_unread_fetch_start(api->core, user_id, on_fetched,
                                                           pl_request_ref(request)));
}

/* ---- markAllRead ---- */

static int decode_cursor(const pl_json_t *json, int64_t *cursor_r, pl_refusal_t *refusal)
{
    const char *type;
    size_t type_len;
    static const char *const keys[] = {"type", "lastUpdatedTimestamp", NULL};
    int found = pl_json_get_int64(json, "lastUpdatedTimestamp", cursor_r);

    pl_body_keys(json, keys, refusal);
    if (pl_body_text(json, "type", true, &type, &type_len, refusal) &&
        !pl_slice_is((pl_slice_t){type, type_len}, "read"))
        pl_body_wrong(refusal, "type", "must be read");
    if (found == 0)
        pl_body_wrong(refusal, "lastUpdatedTimestamp", "is required");
    else if (found < 0 || *cursor_r < 0 || (*cursor_r > 0 && *cursor_r < PL_CURSOR_MIN))
        pl_body_wrong(refusal, "lastUpdatedTimestamp",
                      "must be 0, or microseconds since 1970 as an answer has them");
    return refusal->fields.count > 0 ? pl_refuse_fields(refusal) : 0;
}

static void on_marked(const pl_outcome_t *outcome, void *owner)
{
    pl_api_finish_no_content(owner, outcome);
}

void pl_on_mark_all_read(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    pl_slice_t body = pl_request_body(request);
    int64_t user_id = pl_api_caller(api, request), cursor;
    pl_json_t *json = NULL;
    pl_refusal_t refusal;

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0)
        return;
    pl_refusal_init(&refusal);
    if (pl_body_parse(body.data, body.len, &json, &refusal) != 0 ||
        decode_cursor(json, &cursor, &refusal) != 0)
        pl_refusal_reply(request, &refusal);
    else
        pl_unread_read_all_start(api->core, user_id, cursor, on_marked, pl_request_ref(request));
    pl_json_free(&json);
}
