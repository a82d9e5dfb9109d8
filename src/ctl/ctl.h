/*
 * What a command is given: the command line and the configuration, both already checked.
 */
#ifndef PL_CTL_CTL_H
#define PL_CTL_CTL_H

#include <stdbool.h>

#include "config/config.h"

typedef struct pl_ctl {
    const char *command;       /* as typed: "migrate up" */
    const char *sql_directory; /* NULL: parleyctl's own */
    const char *databases;     /* names with commas between; NULL: all of the configuration */
    int shards;
    int wait_s; /* for locks */
    int jobs;   /* databases at a time */
    bool is_json;
    bool checks_unread;  /* doctor: recounts what is unread */
    bool repairs_unread; /* and repairs it */
    pl_config_t config;
} pl_ctl_t;

#endif
