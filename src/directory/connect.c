#include "directory/connect.h"

#include <stdlib.h>

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

PGconn *pl_connect(const char *dsn, const char *application, const char *timeout_s)
{
    /* libpq expands the DSN in the place of "dbname"; the values before it are defaults. */
    const char *const keywords[] = {"connect_timeout", "fallback_application_name",
                                    "client_encoding", "gssencmode",
                                    "dbname",          NULL};
    const char *const values[] = {timeout_s, application, "UTF8", "disable", dsn, NULL};
    PGconn *pg = PQconnectdbParams(keywords, values, 1);

    if (pg == NULL)
        abort(); /* out of memory */
    pl_connect_ignore_notices(pg);
    return pg;
}

void pl_connect_ignore_notices(PGconn *pg)
{
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
}
