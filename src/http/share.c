#include "http/share.h"

#include "http/budget.h"
#include "http/problem.h"

int pl_share_take(pl_request_t *request, pl_share_t share, size_t count)
{
    pl_limit_t limit = pl_budget_take_share(request, share, count);

    if (limit == PL_LIMIT_NONE)
        return 0;
    pl_problem_reply_limit(request, limit);
    return -1;
}
