#include "core/create.h"

#include "base/memory.h"
#include "core/known_users.h"
#include "core/page_cache.h"
#include "core/receipt_writer.h"
#include "core/reply_check.h"
#include "core/send.h"
#include "core/session_answers.h"
#include "core/typing.h"
#include "core/user_check.h"

/* The number of users who are active on one worker in a turn of the set; 1 MiB a turn, of which
 * there are two. A forgotten user costs one more read of a version. */
#define KNOWN_USERS 131072
/* A user whom another server has erased stays known for up to two turns. A user who sends all the
 * time costs one read of a version in each turn: with turns of 30 s and 20,000 such users, a send
 * cost PostgreSQL a seventh more. */
#define KNOWN_USERS_TURN_MS 300000

static void on_turn(pl_timer_t *timer)
{
    pl_core_t *core = H2O_STRUCT_FROM_MEMBER(pl_core_t, known_users_turn, timer);

    pl_timer_arm(pl_timer_queue(core->loop, KNOWN_USERS_TURN_MS), timer);
    pl_known_users_turn(core->known_users);
}

void pl_core_metrics_init(void)
{
    pl_page_cache_metrics_init();
    pl_send_metrics_init();
    pl_typing_metrics_init();
    pl_receipt_writer_metrics_init();
}

pl_core_t *pl_core_create(pl_loop_t *loop, const pl_core_deps_t *deps)
{
    const pl_config_t *config = deps->config;
    size_t queue_size = (size_t)config->lanes.queue_size;
    int64_t deadline_s = config->lanes.request_deadline_s;
    pl_core_t *core = pl_calloc(1, sizeof(*core));

    core->loop = loop;
    core->deps = *deps;
    core->pages = pl_page_cache_create((size_t)config->cache.size);
    core->known_users = pl_known_users_create(KNOWN_USERS, deps->erased_users);
    core->known_users_turn.on_fire = on_turn;
    pl_timer_arm(pl_timer_queue(loop, KNOWN_USERS_TURN_MS), &core->known_users_turn);
    core->user_checks = pl_user_checks_create(deps->cluster, core->known_users, deadline_s,
                                              queue_size);
    core->session_answers = pl_session_answers_create();
    core->copy_timeouts = pl_timer_queue(loop, (uint64_t)config->lanes.copy_deadline_s * 1000);
    core->reply_checks = pl_reply_checks_create(deps->cluster, core->copy_timeouts, deadline_s,
                                                queue_size);
    core->reaction_checks = pl_reply_checks_create(deps->cluster, core->copy_timeouts, deadline_s,
                                                   queue_size);
    pl_receipt_writer_join(deps->receipt_writer, core);
    return core;
}
