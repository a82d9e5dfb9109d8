#include "core/actor_check.h"

static enum pl_actor result_of(const pl_user_check_t *check)
{
    if (check->error == PL_ERROR_OVERLOADED)
        return PL_ACTOR_OVERLOADED;
    return check->exists || check->error != PL_OK ? PL_ACTOR_ACCEPTED : PL_ACTOR_UNKNOWN;
}

static void on_read(pl_user_check_t *user_check)
{
    pl_actor_check_t *check = H2O_STRUCT_FROM_MEMBER(pl_actor_check_t, check, user_check);

    pl_timer_disarm(&check->timeout);
    check->result = result_of(user_check);
    check->on_done(check);
}

static void on_timeout(pl_timer_t *timer)
{
    pl_actor_check_t *check = H2O_STRUCT_FROM_MEMBER(pl_actor_check_t, timeout, timer);

    pl_user_check_cancel(check->core->user_checks, &check->check);
    check->result = PL_ACTOR_ACCEPTED;
    check->on_done(check);
}

bool pl_actor_check_start(pl_core_t *core, pl_actor_check_t *check)
{
    check->core = core;
    check->check.user_id = check->user_id;
    check->check.on_done = on_read;
    check->check.must_not_wait = true;
    if (pl_user_check_start(core->user_checks, &check->check)) {
        check->result = result_of(&check->check);
        return true;
    }
    check->timeout.on_fire = on_timeout;
    pl_timer_arm(core->copy_timeouts, &check->timeout);
    return false;
}
