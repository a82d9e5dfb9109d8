#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"

static int fail(pl_error_t *error, const char *name, const char *what)
{
    pl_error_set(error, PL_ERROR_INVALID, "[server] user %s: %s: %s", name, what, strerror(errno));
    return -1;
}

/* True if no id is root's and none can become root's again. */
static bool is_dropped(const struct passwd *user)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;

    return getresuid(&real, &effective, &saved) == 0 && real == user->pw_uid &&
           effective == user->pw_uid && saved == user->pw_uid &&
           getresgid(&real_group, &effective_group, &saved_group) == 0 &&
           real_group == user->pw_gid && effective_group == user->pw_gid &&
           saved_group == user->pw_gid && setresuid(0, 0, 0) != 0 && setresgid(0, 0, 0) != 0;
}

/* The kernel forgets the signal for the end of the parent when the ids change; a supervisor has set
 * it. */
static int become(const struct passwd *user, pl_error_t *error)
{
    int parent_signal = 0;

    prctl(PR_GET_PDEATHSIG, &parent_signal);
    if (initgroups(user->pw_name, user->pw_gid) != 0)
        return fail(error, user->pw_name, "the groups cannot be set");
    if (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0)
        return fail(error, user->pw_name, "the group cannot be set");
    if (setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
        return fail(error, user->pw_name, "the user cannot be set");
    if (!is_dropped(user)) {
        pl_error_set(error, PL_ERROR_INVALID,
                     "[server] user %s: root's rights could not be dropped", user->pw_name);
        return -1;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_PDEATHSIG, (unsigned long)parent_signal) != 0)
        return fail(error, user->pw_name, "prctl");
    return 0;
}

static int drop_root(const char *name, pl_error_t *error)
{
    if (name[0] == '\0') {
        pl_error_set(error, PL_ERROR_INVALID,
                     "parleyd does not run as root: name a user of its own in [server] user, or "
                     "start it as one (user = root takes the risk)");
        return -1;
    }
    if (strcmp(name, "root") == 0) {
        pl_log_warn("runs-as-root");
        return 0;
    }
    errno = 0;
    const struct passwd *user = getpwnam(name);
    if (user == NULL || user->pw_uid == 0) {
        pl_error_set(error, PL_ERROR_INVALID, "[server] user %s: %s", name,
                     user != NULL ? "is root under another name"
                                  : "there is no such user on this machine");
        return -1;
    }
    return become(user, error);
}

int pl_privileges_drop(const char *name, pl_error_t *error)
{
    if (geteuid() == 0)
        return drop_root(name, error);
    const struct passwd *own = getpwuid(geteuid());
    if (name[0] == '\0' || (own != NULL && strcmp(own->pw_name, name) == 0))
        return 0;
    pl_error_set(error, PL_ERROR_INVALID, "[server] user %s: only root can become another user",
                 name);
    return -1;
}
