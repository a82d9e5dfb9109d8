/* What has ended before the start: read from the databases before the first request is taken. */
#ifndef PL_DAEMON_ENDINGS_H
#define PL_DAEMON_ENDINGS_H

#include "config/config.h"
#include "core/endings_reader.h"

/* Blocks, for a few seconds if a database does not answer. Logs which databases were away: they are
 * read later. */
void pl_endings_read_before_start(const pl_config_t *config, const pl_cluster_t *cluster,
                                  pl_endings_reader_t *reader);

#endif
