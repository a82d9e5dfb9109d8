/*
 * Checks of the pooled DSN.
 *
 * The pool mode is read from PgBouncer's console, if the console accepts the server's role: its
 * SHOW POOLS has the mode of the pool, with all overrides for one database or one user.
 *
 * If the console is closed, the check reports only what a client can prove:
 * - BEGIN is refused: statement pooling.
 * - Two connected clients get one server process, or one client gets two: transaction pooling.
 * Session pooling cannot be proven in this way. With it each client keeps its process, but the same
 * can be seen in a busy pool with transaction pooling. Then the check reports that the mode is not
 * known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ctl/doctor.h"

#define MODE_ADVICE "Set pool_mode = transaction in pgbouncer.ini, then RELOAD."
#define CONSOLE_ADVICE "Add the server's role to stats_users in pgbouncer.ini."

/* In an idle pool the first round is enough. The others are for a busy pool; with a round trip of
 * 1 ms they take 0.2 s. */
#define SHARING_ROUNDS 100

/* PostgreSQL's names have at most 63 bytes. */
#define NAME_SIZE 64

static int backend_pid(PGconn *conn)
{
    PGresult *result = PQexec(conn, "SELECT pg_catalog.pg_backend_pid()");
    int pid = PQresultStatus(result) == PGRES_TUPLES_OK ? atoi(PQgetvalue(result, 0, 0)) : -1;

    PQclear(result);
    return pid;
}

/* True proves transaction pooling. False proves nothing. */
static bool do_change_hands(PGconn *a, PGconn *b)
{
    int before = backend_pid(a);

    for (int round = 0; round < SHARING_ROUNDS && before >= 0; round++) {
        int of_b = backend_pid(b), of_a = backend_pid(a);
        if (of_a < 0 || of_b < 0)
            return false;
        if (of_b == before || of_a != before)
            return true;
    }
    return false;
}

static bool keeps_transaction(PGconn *conn)
{
    PGresult *result = PQexec(conn, "BEGIN");
    bool is_begun = PQresultStatus(result) == PGRES_COMMAND_OK &&
                    PQtransactionStatus(conn) == PQTRANS_INTRANS;

    PQclear(result);
    PQclear(PQexec(conn, "ROLLBACK"));
    return is_begun;
}

static void check_mode_by_trial(pl_doctor_t *doctor, const char *subject, const char *dsn,
                                PGconn *conn)
{
    PGconn *other = pl_check_connect(doctor, subject, "pool-mode", dsn);

    if (other == NULL)
        return;
    bool is_shared = do_change_hands(conn, other);
    /* Last, because a statement pooler closes the connection that asks for a transaction. */
    if (!keeps_transaction(other)) {
        pl_check_fail(doctor, subject, "pool-mode", PL_EXIT_FAILED, MODE_ADVICE,
                      "refuses transactions, as statement pooling does");
    } else if (is_shared) {
        pl_check_ok(doctor, subject, "pool-mode", "transaction: server processes change hands");
    } else {
        pl_check_warn(doctor, subject, "pool-mode", CONSOLE_ADVICE,
                      "not known: two clients kept their server processes, which can be session"
                      " pooling or a busy pool");
    }
    PQfinish(other);
}

/* A pooled and a direct connection must end in the same database, as the same role. */
static void check_destination(pl_doctor_t *doctor, const char *subject, const char *direct_dsn,
                              PGconn *pooled)
{
    static const char where[] =
        "SELECT (SELECT system_identifier FROM pg_control_system()) || ', database ' ||"
        " (SELECT oid FROM pg_database WHERE datname = current_database()) || ', role ' ||"
        " current_user";
    PGconn *direct;

    if (direct_dsn[0] == '\0')
        return;
    direct = pl_session_connect(direct_dsn);
    PGresult *a = PQexec(pooled, where), *b = PQexec(direct, where);

    /* A direct DSN that does not work has its own check. */
    if (PQresultStatus(b) == PGRES_TUPLES_OK) {
        if (PQresultStatus(a) != PGRES_TUPLES_OK) {
            pl_check_fail(doctor, subject, "pool-target", PL_EXIT_UNREACHABLE,
                          "See the pooler's log: it cannot reach PostgreSQL as this role.", "%s",
                          PQerrorMessage(pooled));
        } else if (strcmp(PQgetvalue(a, 0, 0), PQgetvalue(b, 0, 0)) != 0) {
            pl_check_fail(doctor, subject, "pool-target", PL_EXIT_FAILED,
                          "Compare the pooler's [databases] with direct_dsn.",
                          "dsn leads to server %s, direct_dsn to server %s", PQgetvalue(a, 0, 0),
                          PQgetvalue(b, 0, 0));
        } else {
            pl_check_ok(doctor, subject, "pool-target", "the same database and role as direct_dsn");
        }
    }
    PQclear(a);
    PQclear(b);
    PQfinish(direct);
}

/* The console is PgBouncer's own database, which takes only simple queries. NULL if it is closed to
 * the role of the DSN. */
static PGconn *open_console(const char *dsn)
{
    pl_buffer_t console = PL_BUFFER_EMPTY;
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);

    if (options == NULL)
        return NULL;
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || strcmp(option->keyword, "dbname") == 0)
            continue;
        pl_buffer_appendf(&console, "%s='", option->keyword);
        for (const char *p = option->val; *p != '\0'; p++) {
            if (*p == '\'' || *p == '\\')
                pl_buffer_append_char(&console, '\\');
            pl_buffer_append_char(&console, *p);
        }
        pl_buffer_append_text(&console, "' ");
    }
    PQconninfoFree(options);
    pl_buffer_append_text(&console, "dbname=pgbouncer");
    PGconn *conn = pl_session_connect(pl_buffer_terminate(&console));
    pl_buffer_dispose(&console);
    if (PQstatus(conn) != CONNECTION_OK) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}

/* A column of the row whose column `key_column` is `key`; -1 when there is none. */
static int console_number(PGconn *console, const char *command, const char *key_column,
                          const char *key, const char *column)
{
    PGresult *result = PQexec(console, command);
    int number = -1;

    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        int key_number = PQfnumber(result, key_column), value = PQfnumber(result, column);
        for (int row = 0; row < PQntuples(result) && key_number >= 0 && value >= 0; row++)
            if (strcmp(PQgetvalue(result, row, key_number), key) == 0)
                number = atoi(PQgetvalue(result, row, value));
    }
    PQclear(result);
    return number;
}

/* The role at the server: the pooler may be told to log in with another than the client's. */
static void find_role(PGconn *conn, char role_r[NAME_SIZE])
{
    PGresult *result = PQexec(conn, "SELECT session_user");

    role_r[0] = '\0';
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        snprintf(role_r, NAME_SIZE, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

/* The mode of the pool that `conn` uses, as the console names it; "" if the console does not say.
 */
static void find_mode(PGconn *console, PGconn *conn, char mode_r[NAME_SIZE])
{
    char role[NAME_SIZE];

    mode_r[0] = '\0';
    find_role(conn, role);
    PGresult *result = PQexec(console, "SHOW POOLS");
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        int database = PQfnumber(result, "database"), user = PQfnumber(result, "user");
        int mode = PQfnumber(result, "pool_mode");
        bool is_complete = database >= 0 && user >= 0 && mode >= 0;
        for (int row = 0; is_complete && row < PQntuples(result); row++)
            if (strcmp(PQgetvalue(result, row, database), PQdb(conn)) == 0 &&
                strcmp(PQgetvalue(result, row, user), role) == 0)
                snprintf(mode_r, NAME_SIZE, "%s", PQgetvalue(result, row, mode));
    }
    PQclear(result);
}

/* `console` may be NULL. */
static void check_mode(pl_doctor_t *doctor, const char *subject, const char *dsn, PGconn *conn,
                       PGconn *console)
{
    char mode[NAME_SIZE] = "";

    if (console != NULL)
        find_mode(console, conn, mode);
    if (mode[0] == '\0')
        check_mode_by_trial(doctor, subject, dsn, conn);
    else if (strcmp(mode, "transaction") == 0)
        pl_check_ok(doctor, subject, "pool-mode", "transaction, by the pooler's console");
    else
        pl_check_fail(doctor, subject, "pool-mode", PL_EXIT_FAILED, MODE_ADVICE,
                      "%s, by the pooler's console", mode);
}

/* `console` may be NULL. */
static void check_sizes(pl_doctor_t *doctor, const char *subject, PGconn *conn, PGconn *console)
{
    int lanes = pl_doctor_lanes(doctor);
    int databases = (int)doctor->ctl->config.database_count;

    if (console == NULL) {
        pl_check_warn(doctor, subject, "pool-size", CONSOLE_ADVICE,
                      "not known: PgBouncer's console is closed to %s", PQuser(conn));
        return;
    }
    int pool = console_number(console, "SHOW DATABASES", "name", PQdb(conn), "pool_size");
    int clients = console_number(console, "SHOW CONFIG", "key", "max_client_conn", "value");
    if (pool < 0)
        pool = console_number(console, "SHOW CONFIG", "key", "default_pool_size", "value");
    if (pool >= 0 && pool < lanes) {
        pl_check_warn(doctor, subject, "pool-size",
                      "Raise default_pool_size, or lower the lanes in the configuration.",
                      "%d server connections for %d lanes of one parleyd here: lanes wait", pool,
                      lanes);
    } else if (clients >= 0 && clients < lanes * databases) {
        pl_check_warn(doctor, subject, "pool-size", "Raise max_client_conn.",
                      "%d clients allowed for %d lanes of one parleyd here", clients,
                      lanes * databases);
    } else {
        pl_check_ok(doctor, subject, "pool-size", "%d server connections for %d lanes here", pool,
                    lanes);
    }
}

static void check_pool(pl_doctor_t *doctor, const char *subject,
                       const pl_config_database_t *database, PGconn *conn)
{
    PGconn *console = open_console(database->dsn);

    check_mode(doctor, subject, database->dsn, conn, console);
    check_destination(doctor, subject, database->direct_dsn, conn);
    check_sizes(doctor, subject, conn, console);
    PQfinish(console);
}

void pl_doctor_check_pooler(pl_doctor_t *doctor, const char *subject,
                            const pl_config_database_t *database)
{
    PGconn *conn = pl_check_connect(doctor, subject, "pooled-dsn", database->dsn);
    int is_pooled;

    if (conn == NULL)
        return;
    is_pooled = pl_session_is_pooled(conn);
    if (is_pooled == 1) {
        pl_check_ok(doctor, subject, "pooled-dsn", "reachable, a pooler");
        check_pool(doctor, subject, database, conn);
    } else if (is_pooled == 0) {
        pl_check_warn(doctor, subject, "pooled-dsn",
                      "Put PgBouncer with transaction pooling between, and its address into dsn.",
                      "leads to PostgreSQL itself: every lane of every server is a connection of"
                      " its own there");
    } else {
        pl_check_fail(doctor, subject, "pooled-dsn", PL_EXIT_UNREACHABLE,
                      "See the pooler's log: it cannot reach PostgreSQL as this role.", "%s",
                      PQerrorMessage(conn));
    }
    PQfinish(conn);
}
