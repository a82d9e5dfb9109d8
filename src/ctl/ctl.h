/*
 * The input of a command: the command line and the configuration, both already parsed.
 */
#ifndef PL_CTL_CTL_H
#define PL_CTL_CTL_H

#include <stdbool.h>

#include "config/config.h"

typedef struct pl_ctl {
    const char *command;       /* as typed: "migrate up" */
    const char *sql_directory; /* NULL: the one that came with parleyctl */
    const char *databases;     /* names separated by commas; NULL: all of the configuration */
    int shards;
    int wait_s; /* how long to wait for locks, in seconds */
    int jobs;   /* how many databases to work on in parallel */
    bool is_json;
    bool checks_unread;  /* doctor recounts the unread messages */
    bool repairs_unread; /* and repairs wrong counts */
    pl_config_t config;
} pl_ctl_t;

#endif
