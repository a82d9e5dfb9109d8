/* The table of options: name, type, unit, range, default, place in pl_config_t and documentation of
 * every key. It parses, it makes the defaults, and it prints the annotated example. */
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
    const char *default_value; /* as it would stand in the file */
    const char *unit;          /* NULL: none */
    int64_t min, max;
    const char *choices; /* separated by | */
    size_t offset;       /* of the field in its struct */
    /* What the example sets it to, {name} being the section's name. NULL: the default stays. */
    const char *example;
    const char *documentation; /* lines of at most 98 characters */
} pl_option_t;

typedef struct pl_option_section {
    const char *name;
    const char *documentation;
    /* Of a section that takes a name, the names in the example, up to a NULL. */
    const char *example_names[3];
    bool is_optional; /* the example shows it as a comment */
    const pl_option_t *options;
    size_t option_count;
} pl_option_section_t;

/* All sections, in the order of the example. */
extern const pl_option_section_t pl_option_sections[];
extern const size_t pl_option_section_count;

/* NULL where there is none. name_len lets the caller pass the part before the space. */
const pl_option_section_t *pl_option_section_find(const char *name, size_t name_len);
const pl_option_t *pl_option_find(const pl_option_section_t *section, const char *key);

/* Parses value into the option's field of target. A text that the field held is freed. Returns 0,
 * or -1 with PL_ERROR_INVALID and a message that says what is allowed. */
int pl_option_set(const pl_option_t *option, void *target, const char *value,
                  pl_error_t *err) PL_MUST_USE;

/* Sets every option of a section to its default in a zeroed target. */
void pl_option_set_defaults(const pl_option_section_t *section, void *target);

/* Frees the texts of a section. */
void pl_option_free(const pl_option_section_t *section, void *target);

#endif
