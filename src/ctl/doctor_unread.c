/*
 * Checks that every conversation's unread_count equals a recount of its messages. Each write
 * updates the count, and reads return it as it is, so nothing else would find a wrong one.
 *
 * The mailboxes of a shard are checked in slices. A slice is one statement, and so one snapshot:
 * sends at the same time make no difference, and no lock is held. A repair locks one mailbox and
 * counts again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "ctl/doctor.h"

/* Mailboxes in a slice. Takes a few tenths of a second, so that no snapshot is held for long. */
#define SLICE "1000"
/* How many of the wrong counts are printed. */
#define EXAMPLES_MAX 5

#define NAME "unread"

typedef struct unread {
    pl_session_t *session;
    char schema[PL_SHARD_SCHEMA_SIZE];
    bool repairs;
    long mailboxes;
    long wrong;
    long repaired;
    pl_buffer_t examples;
} unread_t;

static void add_example(unread_t *unread, const PGresult *wrong, int row)
{
    if (unread->wrong++ < EXAMPLES_MAX) {
        pl_buffer_appendf(&unread->examples, "%suser %s with %s: %s, recount %s",
                          unread->examples.len == 0 ? "" : "; ", PQgetvalue(wrong, row, 0),
                          PQgetvalue(wrong, row, 1), PQgetvalue(wrong, row, 2),
                          PQgetvalue(wrong, row, 3));
    }
}

static int repair(unread_t *unread, const char *user_id, pl_outcome_t *outcome)
{
    const char *const values[] = {user_id};
    char sql[128];
    PGresult *result;

    snprintf(sql, sizeof sql, "SELECT %s.repair_unread_counts($1)", unread->schema);
    if (pl_session_query(unread->session, sql, 1, values, NAME, &result, outcome) < 0)
        return -1;
    unread->repaired += atol(PQgetvalue(result, 0, 0));
    PQclear(result);
    return 0;
}

/* Records the wrong counts, and repairs their mailboxes. The rows of a mailbox are next to each
 * other. */
static int handle_wrong(unread_t *unread, const PGresult *wrong, pl_outcome_t *outcome)
{
    for (int row = 0; row < PQntuples(wrong); row++) {
        const char *user_id = PQgetvalue(wrong, row, 0);
        add_example(unread, wrong, row);
        if (unread->repairs && (row == 0 || strcmp(user_id, PQgetvalue(wrong, row - 1, 0)) != 0) &&
            repair(unread, user_id, outcome) < 0)
            return -1;
    }
    return 0;
}

/* Checks the slice of mailboxes after `id`, and sets `id` to the last one. Returns 1 if there may
 * be more, 0 if not, -1 with the outcome. */
static int check_slice(unread_t *unread, char id[static 24], pl_outcome_t *outcome)
{
    const char *values[] = {id, NULL};
    char sql[192], last[24];
    PGresult *result;
    int rc;

    snprintf(sql, sizeof sql,
             "SELECT max(s.user_id), count(*) FROM (SELECT user_id FROM %s.mailbox"
             " WHERE user_id > $1 ORDER BY user_id LIMIT " SLICE ") s",
             unread->schema);
    if (pl_session_query(unread->session, sql, 1, values, NAME, &result, outcome) < 0)
        return -1;
    snprintf(last, sizeof last, "%s", PQgetvalue(result, 0, 0));
    unread->mailboxes += atol(PQgetvalue(result, 0, 1));
    PQclear(result);
    if (last[0] == '\0')
        return 0;
    values[1] = last;
    snprintf(sql, sizeof sql, "SELECT * FROM %s.wrong_unread_counts($1, $2)", unread->schema);
    if (pl_session_query(unread->session, sql, 2, values, NAME, &result, outcome) < 0)
        return -1;
    rc = handle_wrong(unread, result, outcome);
    PQclear(result);
    memcpy(id, last, sizeof last);
    return rc < 0 ? -1 : 1;
}

static int check_shard(unread_t *unread, int shard, pl_outcome_t *outcome)
{
    char id[24] = "0";
    int rc;

    pl_shard_schema_format(unread->schema, shard);
    do {
        rc = check_slice(unread, id, outcome);
    } while (rc > 0);
    return rc;
}

static void report(pl_doctor_t *doctor, const char *subject, const unread_t *unread,
                   const char *examples)
{
    if (unread->wrong == 0) {
        pl_check_ok(doctor, subject, NAME, "%ld mailboxes, every count equals its recount",
                    unread->mailboxes);
    } else if (unread->repairs) {
        pl_check_warn(doctor, subject, NAME, "Report this as a bug: no write should cause it.",
                      "%ld mailboxes, %ld counts repaired: %s", unread->mailboxes, unread->repaired,
                      examples);
    } else {
        pl_check_fail(doctor, subject, NAME, PL_EXIT_FAILED,
                      "Run parleyctl doctor --unread --repair, and report this as a bug: no write"
                      " should cause it.",
                      "%ld mailboxes, %ld counts differ from their recount: %s", unread->mailboxes,
                      unread->wrong, examples);
    }
}

void pl_doctor_check_unread(pl_doctor_t *doctor, pl_session_t *session, int database)
{
    const pl_shard_map_t *map = doctor->map;
    unread_t unread = {.session = session, .repairs = doctor->ctl->repairs_unread};
    pl_outcome_t outcome = {0};
    int rc = 0;

    for (int shard = 0; rc == 0 && shard < map->shards; shard++)
        if (map->database_of_shard[shard] == database)
            rc = check_shard(&unread, shard, &outcome);
    if (rc == 0) {
        report(doctor, session->label, &unread, pl_buffer_terminate(&unread.examples));
    } else {
        pl_check_outcome(doctor, session->label, NAME, rc, &outcome,
                         "Run it again; if functions are pending, run parleyctl migrate up first.",
                         "");
    }
    pl_buffer_dispose(&unread.examples);
}
