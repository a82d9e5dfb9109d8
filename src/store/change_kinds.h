/*
 * The kinds of changes: the properties that the server needs before it sends a change to the
 * database.
 *
 * The kind `name` is the function {shard}.change_<name> (sql/shard/). SQL has its own list of one
 * property that only SQL needs: which kinds work without a live mailbox
 * (sql/change_needs_mailbox.sql).
 */
#ifndef PL_STORE_CHANGE_KINDS_H
#define PL_STORE_CHANGE_KINDS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pl_change_traits {
    const char *name;
    /* Rows that it reads or writes beyond those that its argument names. */
    size_t rows;
    /* One slice of a long job. "missing" means that there are more slices. The relay makes them;
     * no request waits for the last one. */
    bool is_background;
} pl_change_traits_t;

/* The properties of a kind. A kind that this server does not know (a newer server has left it in
 * the change outbox) has those of a small change: it is passed on like any other. Never NULL. */
const pl_change_traits_t *pl_change_traits_of(const char *kind);

/* All known kinds in ascending order of their names, for the test that compares them with sql/. */
const pl_change_traits_t *pl_change_traits_all(size_t *count_r);

#endif
