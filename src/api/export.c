/*
 * exportMe: everything that the system stores about the caller, as lines of JSON.
 *
 *   account read --there is none--> 401
 *        \--> streaming: sessions --> blocks, page by page --> conversations and messages, page by
 *                       page --> end
 *
 * The next page is read when the client's socket has taken the last one. So an export holds at most
 * one page, and a slow reader holds no connection to the database. A reader that stops reading is
 * closed by the stall timer. If anything fails in between, the response is cut off, and its last
 * line is missing.
 */
#include "api/export.h"

#include <stdlib.h>

#include "api/context.h"
#include "api/handlers.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/problem.h"
#include "http/share.h"
#include "http/stream.h"
#include "store/export.h"

/* On one loop at the same time. Each holds PAGE_BYTES and a message while its client reads. */
#define EXPORTS_MAX 32
#define PAGE_SIZE 50
#define PAGE_BYTES 262144
#define BLOCKS_PAGE_SIZE 1000

struct pl_exports {
    h2o_linklist_t list;
    size_t count;
};

typedef struct export
{
    h2o_linklist_t link;
    pl_api_t *api;
    int64_t user_id;
    pl_request_t *request; /* until the stream is open */
    pl_stream_t *stream;   /* NULL: not open yet, or the client has left */
    pl_op_t *reading;      /* in flight: the export lives until it is done */
    bool has_sessions;     /* all sessions are written */
    bool has_blocks;       /* all blocks are written */
    int64_t cursor;
    pl_token_claims_t claims;
    pl_export_counts_t counts;
    pl_account_read_t account_read;
    pl_sessions_read_t sessions_read;
    pl_blocks_export_t blocks_read;
    pl_page_read_t page_read;
}
export_t;

pl_exports_t *pl_exports_create(void)
{
    pl_exports_t *exports = pl_calloc(1, sizeof(*exports));
    h2o_linklist_init_anchor(&exports->list);
    return exports;
}

static export_t *export_create(pl_api_t *api, pl_request_t *request, int64_t user_id)
{
    export_t *export = pl_calloc(1, sizeof(*export));

    export->api = api;
    export->user_id = user_id;
    export->request = pl_request_ref(request);
    export->claims = *pl_request_claims(request);
    export->account_read.user_id = export->sessions_read.user_id = user_id;
    export->blocks_read.user_id = export->page_read.user_id = user_id;
    h2o_linklist_insert(&api->exports->list, &export->link);
    api->exports->count++;
    return export;
}

static void export_destroy(export_t *export)
{
    h2o_linklist_unlink(&export->link);
    export->api->exports->count--;
    pl_account_read_dispose(&export->account_read);
    pl_sessions_read_dispose(&export->sessions_read);
    pl_blocks_export_dispose(&export->blocks_read);
    pl_page_read_dispose(&export->page_read);
    if (export->request != NULL)
        pl_request_on_gone(export->request, NULL, NULL);
    pl_request_unref(&export->request);
    free(export);
}

/* -1: the lane is full. */
static int submit(export_t *export, pl_op_t *op, const pl_op_kind_t *kind,
                  void (*on_done)(pl_op_t *op))
{
    op->kind = kind;
    op->shard = (int)pl_id_shard(export->user_id);
    op->user_id = export->user_id;
    op->deadline_ms = pl_core_deadline_ms(export->api->core);
    op->on_done = on_done;
    if (pl_lane_submit(pl_cluster_read_lane(export->api->core->deps.cluster, op->shard), op) != 0)
        return -1;
    export->reading = op;
    return 0;
}

/* ---- streaming ---- */

/* Cuts the response off. The export is freed by this. */
static void abort_export(export_t *export, const char *reason)
{
    pl_log_warn("export-cut-off", PL_ID("userId", export->user_id), PL_S("reason", reason));
    pl_stream_abort(export->stream);
}

/* True: the read's result is still needed. Else the export is freed. */
static bool take_read(export_t *export, const pl_op_t *op)
{
    export->reading = NULL;
    if (export->stream == NULL) {
        export_destroy(export);
        return false;
    }
    if (op->error != PL_OK) {
        abort_export(export,
                     op->error == PL_ERROR_SQL ? op->sqlstate : pl_error_code_name(op->error));
        return false;
    }
    return true;
}

static void write_lines(export_t *export, pl_buffer_t *lines)
{
    /* When it fails, on_closed has run. */
    (void)!pl_stream_write(export->stream, lines->data, lines->len);
    pl_buffer_dispose(lines);
}

static void finish(export_t *export, pl_buffer_t *lines)
{
    pl_export_end(lines, &export->counts, export->cursor);
    pl_stream_end(export->stream, lines->data, lines->len);
    pl_buffer_dispose(lines);
}

static void on_page_read(pl_op_t *op)
{
    export_t *export = H2O_STRUCT_FROM_MEMBER(export_t, page_read.op, op);
    pl_buffer_t lines = PL_BUFFER_EMPTY;
    pl_page_t page;

    if (!take_read(export, op))
        return;
    if (!pl_page_head(&export->page_read, &page)) {
        abort_export(export, "the account was erased");
        return;
    }
    if (!page.is_delta && export->cursor > 0) {
        abort_export(export, "the mailbox is not the one of before");
        return;
    }
    pl_export_updates(&lines, &export->page_read, &page, PAGE_BYTES, &export->counts);
    pl_page_read_dispose(&export->page_read);
    export->cursor = page.version;
    if (page.has_more)
        write_lines(export, &lines);
    else
        finish(export, &lines);
}

static int read_page(export_t *export)
{
    pl_page_read_t *read = &export->page_read;

    read->page_size = PAGE_SIZE;
    read->max_bytes = PAGE_BYTES;
    read->since = export->cursor;
    read->op.kind = &pl_updates_read_kind;
    pl_page_read_init(read);
    return submit(export, &read->op, &pl_updates_read_kind, on_page_read);
}

static int read_next(export_t *export);

static void write_or_go_on(export_t *export, pl_buffer_t *lines)
{
    if (lines->len > 0)
        write_lines(export, lines);
    else if (read_next(export) != 0)
        abort_export(export, pl_error_code_name(PL_ERROR_OVERLOADED));
}

static void on_sessions_read(pl_op_t *op)
{
    export_t *export = H2O_STRUCT_FROM_MEMBER(export_t, sessions_read.op, op);
    pl_buffer_t lines = PL_BUFFER_EMPTY;

    if (!take_read(export, op))
        return;
    export->has_sessions = true;
    pl_export_sessions(&lines, &export->sessions_read, &export->counts);
    pl_sessions_read_dispose(&export->sessions_read);
    write_or_go_on(export, &lines);
}

static void on_blocks_read(pl_op_t *op)
{
    export_t *export = H2O_STRUCT_FROM_MEMBER(export_t, blocks_read.op, op);
    pl_buffer_t lines = PL_BUFFER_EMPTY;

    if (!take_read(export, op))
        return;
    export->has_blocks = pl_export_blocks(&lines, &export->blocks_read, &export->blocks_read.after,
                                          &export->counts) < BLOCKS_PAGE_SIZE;
    pl_blocks_export_dispose(&export->blocks_read);
    write_or_go_on(export, &lines);
}

static int read_next(export_t *export)
{
    if (!export->has_sessions)
        return submit(export, &export->sessions_read.op, &pl_sessions_read_kind, on_sessions_read);
    if (export->has_blocks)
        return read_page(export);
    export->blocks_read.page_size = BLOCKS_PAGE_SIZE;
    return submit(export, &export->blocks_read.op, &pl_blocks_export_kind, on_blocks_read);
}

static void on_drained(pl_stream_t *stream, void *owner)
{
    export_t *export = owner;
    (void)stream;
    if (pl_endings_check(export->api->core->deps.endings, &export->claims) != PL_ENDED_NOT)
        abort_export(export, "its session has ended");
    else if (read_next(export) != 0)
        abort_export(export, pl_error_code_name(PL_ERROR_OVERLOADED));
}

static void on_closed(pl_stream_t *stream, pl_stream_reason_t reason, void *owner)
{
    export_t *export = owner;
    (void)stream;
    (void)reason;
    export->stream = NULL;
    if (export->reading != NULL)
        export->reading->abandoned = true;
    else
        export_destroy(export);
}

/* ---- the request ---- */

static void start(export_t *export, const pl_account_t *account)
{
    pl_buffer_t lines = PL_BUFFER_EMPTY;

    pl_export_account(&lines, account);
    export->stream = pl_stream_start(export->request, "application/x-ndjson", lines.data, lines.len,
                                     on_closed, export);
    pl_buffer_dispose(&lines);
    if (export->stream == NULL) {
        export_destroy(export);
        return;
    }
    pl_account_read_dispose(&export->account_read);
    pl_request_unref(&export->request);
    pl_stream_on_drained(export->stream, on_drained);
}

static void on_account_read(pl_op_t *op)
{
    export_t *export = H2O_STRUCT_FROM_MEMBER(export_t, account_read.op, op);
    pl_account_t account;
    pl_outcome_t outcome;

    export->reading = NULL;
    if (op->error == PL_OK && pl_account_read_get(&export->account_read, &account)) {
        start(export, &account);
        return;
    }
    outcome = pl_outcome_of_op(op, "account");
    /* A read whose connection was lost has changed nothing. */
    if (outcome.code == PL_OUTCOME_OUTCOME_UNKNOWN)
        outcome.code = PL_OUTCOME_UNAVAILABLE;
    if (op->error != PL_OK)
        pl_api_reply_outcome(export->request, &outcome);
    else
        pl_api_reply_no_caller(export->request);
    export_destroy(export);
}

static void on_gone(pl_request_t *request, void *owner)
{
    export_t *export = owner;
    (void)request;
    export->reading->abandoned = true;
}

static bool is_exporting(const pl_exports_t *exports, int64_t user_id)
{
    for (const h2o_linklist_t *node = exports->list.next; node != &exports->list; node = node->next)
        if (H2O_STRUCT_FROM_MEMBER(export_t, link, node)->user_id == user_id)
            return true;
    return false;
}

/* False: the request was answered. */
static bool admit(const pl_exports_t *exports, pl_request_t *request, int64_t user_id)
{
    if (is_exporting(exports, user_id))
        pl_problem_reply(request, PL_PROBLEM_TOO_MANY_REQUESTS,
                         "An export of the caller is already running.");
    else if (exports->count >= EXPORTS_MAX)
        pl_problem_reply(request, PL_PROBLEM_TOO_MANY_REQUESTS, "Too many exports are under way.");
    else
        return pl_share_take(request, PL_SHARE_EXPORTS, 1) == 0;
    return false;
}

void pl_on_export_me(pl_request_t *request, void *worker)
{
    pl_api_t *api = worker;
    int64_t user_id = pl_api_caller(api, request);

    if (user_id == 0 || pl_request_query(request, NULL, 0) != 0 ||
        !admit(api->exports, request, user_id))
        return;
    export_t *export = export_create(api, request, user_id);
    if (submit(export, &export->account_read.op, &pl_account_fetch_kind, on_account_read) == 0) {
        pl_request_on_gone(request, on_gone, export);
    } else {
        pl_api_reply_outcome(request, &(pl_outcome_t){.code = PL_OUTCOME_OVERLOADED});
        export_destroy(export);
    }
}
