#include "auth/common_password.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

_Static_assert(PL_COMMON_PASSWORD_SIZE <= PL_USERNAME_SIZE, "a password that is no longer than a "
                                                            "username is compared with both");

static int compare(const void *word, const void *entry)
{
    return strcmp(word, entry);
}

bool pl_password_is_common(const char *password, size_t len, const char *username)
{
    char lower[PL_USERNAME_SIZE];

    if (len >= sizeof(lower) || memchr(password, '\0', len) != NULL)
        return false;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)(password[i] >= 'A' && password[i] <= 'Z' ? password[i] - 'A' + 'a'
                                                                   : password[i]);
    lower[len] = '\0';
    bool is_common = (username != NULL && strcmp(lower, username) == 0) ||
                     bsearch(lower, pl_common_passwords, pl_common_password_count,
                             sizeof(pl_common_passwords[0]), compare) != NULL;
    explicit_bzero(lower, len);
    return is_common;
}
