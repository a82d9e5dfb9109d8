/* UTF-8, and the character rules of the API. All lengths are in bytes; no text needs a NUL at its
 * end. */
#ifndef PL_BASE_TEXT_H
#define PL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Characters, each of one byte. */
#define PL_USERNAME_MIN 3
#define PL_USERNAME_MAX 64
#define PL_USERNAME_SIZE (PL_USERNAME_MAX + 1) /* with a NUL */

/* Well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF) and without
 * U+0000, which PostgreSQL's text cannot hold. The empty string is valid. */
bool pl_utf8_is_valid(const char *text, size_t len);

/* The number of code points; the text must be valid UTF-8. */
size_t pl_utf8_length(const char *text, size_t len);

/* The length in bytes of the longest prefix with at most max_code_points; the text must be valid
 * UTF-8. */
size_t pl_utf8_prefix(const char *text, size_t len, size_t max_code_points);

/* True if the text has only U+0020 to U+007E. The empty string is printable too. */
bool pl_ascii_is_printable(const char *text, size_t len);

/* Writes the username in lower case, with a NUL. Returns 0; or -1, with undefined contents of out,
 * if the name is not 3 to 64 characters of a-z A-Z 0-9 . _ - */
int pl_username_normalise(const char *name, size_t len, char out[PL_USERNAME_SIZE]) PL_MUST_USE;

#endif
