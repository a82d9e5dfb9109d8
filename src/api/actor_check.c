#include "api/actor_check.h"

static enum pl_actor result_of(const pl_user_check_t *check)
{
    if (check->error == PL_ERROR_OVERLOADED)
        return PL_ACTOR_OVERLOADED;
    return check->exists || check->error != PL_OK ? PL_ACTOR_BELIEVED : PL_ACTOR_NOBODY;
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

    pl_user_check_cancel(check->api->user_checks, &check->check);
    check->result = PL_ACTOR_BELIEVED;
    check->on_done(check);
}

bool pl_actor_check_start(pl_api_t *api, pl_actor_check_t *check)
{
    check->api = api;
    check->check.user_id = check->user_id;
    check->check.on_done = on_read;
    check->check.must_not_wait = true;
    if (pl_user_check_start(api->user_checks, &check->check)) {
        check->result = result_of(&check->check);
        return true;
    }
    check->timeout.on_fire = on_timeout;
    pl_timer_arm(api->copy_timeouts, &check->timeout);
    return false;
}

void pl_actor_check_refuse(const pl_actor_check_t *check, pl_request_t *request)
{
    if (check->result == PL_ACTOR_OVERLOADED)
        pl_api_reply_overloaded(request);
    else
        pl_api_reply_no_caller(request);
}
