/* The annotated example, printed from the table of options. */

#include <inttypes.h>
#include <string.h>

#include "config/config.h"
#include "config/options.h"

static void print_comment(FILE *out, const char *text)
{
    while (*text != '\0') {
        int len = (int)strcspn(text, "\n");
        fprintf(out, "# %.*s\n", len, text);
        text += len;
        text += *text == '\n';
    }
}

/* Prints the allowed values, as "Integer from 0 to 600, seconds; default 8." */
static void print_type(FILE *out, const pl_option_t *option)
{
    switch (option->type) {
    case PL_OPTION_INTEGER:
        fprintf(out, "# Integer from %" PRId64 " to %" PRId64, option->min, option->max);
        break;
    case PL_OPTION_BOOL:
        fputs("# true or false", out);
        break;
    case PL_OPTION_CHOICE:
    case PL_OPTION_LEVEL:
        fprintf(out, "# One of %s", option->choices);
        break;
    case PL_OPTION_TEXT:
        fputs("# Text", out);
        break;
    }
    if (option->unit != NULL)
        fprintf(out, ", %s", option->unit);
    if (option->default_value[0] != '\0')
        fprintf(out, "; default %s", option->default_value);
    fputs(".\n", out);
}

/* Prints the example with the section's name in place of {name}. */
static void print_example(FILE *out, const char *example, const char *section_name)
{
    static const char place[] = "{name}";
    const char *at = strstr(example, place);
    if (at == NULL) {
        fputs(example, out);
    } else {
        fprintf(out, "%.*s%s%s", (int)(at - example), example, section_name,
                at + sizeof(place) - 1);
    }
}

static void print_option(FILE *out, const pl_option_section_t *section, const pl_option_t *option,
                         const char *section_name, bool is_documented)
{
    if (is_documented) {
        fputc('\n', out);
        print_comment(out, option->documentation);
        print_type(out, option);
    }
    const char *value = option->example != NULL ? option->example : option->default_value;
    /* A default is printed as a comment. So a new default in a later version takes effect also for
     * those who use the example as it is. */
    bool is_comment = option->example == NULL || section->is_optional;
    fprintf(out, "%s%s =%s", is_comment ? ";" : "", option->key, value[0] != '\0' ? " " : "");
    print_example(out, value, section_name);
    fputc('\n', out);
}

static void print_section(FILE *out, const pl_option_section_t *section, const char *name,
                          bool is_owner, bool is_documented)
{
    fputc('\n', out);
    if (is_documented)
        print_comment(out, section->documentation);
    const char *mark = section->is_optional ? ";" : "";
    if (section->example_names[0] != NULL)
        fprintf(out, "%s[%s %s]\n", mark, section->name, name);
    else
        fprintf(out, "%s[%s]\n", mark, section->name);
    for (size_t i = 0; i < section->option_count; i++)
        if (section->options[i].is_owner == is_owner)
            print_option(out, section, &section->options[i], name, is_documented);
}

static void print_sections(FILE *out, bool is_owner)
{
    for (size_t i = 0; i < pl_option_section_count; i++) {
        const pl_option_section_t *section = &pl_option_sections[i];
        if (is_owner && !pl_option_section_has_owner(section))
            continue;
        if (section->example_names[0] == NULL)
            print_section(out, section, "", is_owner, true);
        /* The documentation is printed for the first of the named sections only. */
        for (size_t n = 0; section->example_names[n] != NULL; n++)
            print_section(out, section, section->example_names[n], is_owner, n == 0);
    }
}

void pl_config_print_options(FILE *out)
{
    fputs("# Configuration of parleyd and parleyctl, annotated. Printed by `parleyd "
          "--print-options`.\n"
          "#\n"
          "# Lines that begin with ; show the default. A comment needs a line of its own: "
          "everything after\n"
          "# the = belongs to the value. An unknown section or key stops the program.\n",
          out);
    print_sections(out, false);
}

void pl_config_print_owner_options(FILE *out)
{
    fputs(
        "# The owner's connections, which only parleyctl uses. Printed by `parleyctl "
        "--print-options`.\n"
        "#\n"
        "# parleyctl reads this file beside parley.ini. The user that parleyd runs as must not be "
        "able to\n"
        "# read it: with it the tables and functions of all databases can be changed.\n",
        out);
    print_sections(out, true);
}
