/* The table of options: name, type, unit, range, default, field in pl_config_t and documentation of
 * every key. The parser, the defaults and the annotated example all use it. */
#ifndef PL_CONFIG_OPTIONS_H
#define PL_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

enum pl_option_type {
    PL_OPTION_TEXT,
    PL_OPTION_INTEGER, /* int64_t, in min to max */
    PL_OPTION_BOOL,    /* true or false */
    PL_OPTION_CHOICE,  /* char *, one of choices */
    PL_OPTION_LEVEL,   /* enum pl_log_level, one of choices */
};

typedef struct pl_option {
    const char *key;
    enum pl_option_type type;
    bool is_owner;             /* stands in parleyctl.ini, which parleyd does not read */
    const char *default_value; /* in the file's notation */
    const char *unit;          /* NULL: none */
    int64_t min, max;
    const char *choices; /* separated by | */
    size_t offset;       /* of the field in its struct */
    /* The value in the example, in which {name} stands for the section's name. NULL: the
     * default. */
    const char *example;
    const char *documentation; /* lines of at most 98 characters */
} pl_option_t;

typedef struct pl_option_section {
    const char *name;
    const char *documentation;
    /* If the section takes a name: the names in the example, ended by NULL. */
    const char *example_names[3];
    bool is_optional; /* the example shows it as a comment */
    const pl_option_t *options;
    size_t option_count;
} pl_option_section_t;

/* True if parleyctl.ini has this section too. */
bool pl_option_section_has_owner(const pl_option_section_t *section);

/* All sections, in the order of the example. */
extern const pl_option_section_t pl_option_sections[];
extern const size_t pl_option_section_count;

/* Both return NULL if there is none. name_len allows to pass the part of a title before the
 * space. */
const pl_option_section_t *pl_option_section_find(const char *name, size_t name_len);
const pl_option_t *pl_option_find(const pl_option_section_t *section, const char *key);

/* Parses value into the option's field of target, and frees the text that was there. Returns 0, or
 * -1 with PL_ERROR_INVALID and a message that names the allowed values. */
int pl_option_set(const pl_option_t *option, void *target, const char *value,
                  pl_error_t *err) PL_MUST_USE;

/* Sets every option of a section to its default in a zeroed target. */
void pl_option_set_defaults(const pl_option_section_t *section, void *target);

/* Frees the texts of a section in target. */
void pl_option_free(const pl_option_section_t *section, void *target);

#endif
