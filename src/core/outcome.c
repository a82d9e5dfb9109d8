#include "core/outcome.h"

#include <string.h>

#include "base/log.h"

static const struct {
    const char *name;
    const char *status;
} outcomes[] = {
#define X(name, status) {#name, status},
    PL_OUTCOMES(X)
#undef X
};

const char *pl_outcome_name(enum pl_outcome_code code)
{
    return outcomes[code].name;
}

enum pl_outcome_code pl_outcome_of_error(enum pl_error_code error)
{
    switch (error) {
    case PL_OK:
        return PL_OUTCOME_DONE;
    case PL_ERROR_OVERLOADED:
        return PL_OUTCOME_OVERLOADED;
    case PL_ERROR_UNAVAILABLE:
        return PL_OUTCOME_UNAVAILABLE;
    case PL_ERROR_DEADLINE:
        return PL_OUTCOME_DEADLINE;
    case PL_ERROR_OUTCOME_UNKNOWN:
        return PL_OUTCOME_OUTCOME_UNKNOWN;
    case PL_ERROR_INVALID:
    case PL_ERROR_SQL:
    case PL_ERROR_INTERNAL:
        break;
    }
    return PL_OUTCOME_FAILED;
}

pl_outcome_t pl_outcome_of_op(const pl_op_t *op, const char *step)
{
    pl_outcome_t outcome = {.code = pl_outcome_of_error(op->error)};

    if (op->error == PL_ERROR_SQL) {
        outcome.step = step;
        outcome.statement = op->kind->name;
        memcpy(outcome.sqlstate, op->sqlstate, sizeof(outcome.sqlstate));
    }
    return outcome;
}

int pl_outcome_of_status(const char *status, enum pl_outcome_code *code_r)
{
    for (size_t i = 0; i < PL_OUTCOME_COUNT; i++)
        if (outcomes[i].status != NULL && strcmp(outcomes[i].status, status) == 0) {
            *code_r = (enum pl_outcome_code)i;
            return 0;
        }
    return -1;
}

void pl_outcome_log(const pl_outcome_t *outcome, const char *operation, const char *request_id)
{
    if (outcome->code != PL_OUTCOME_FAILED || outcome->is_logged)
        return;
    pl_log_error("operation-failed", PL_S("requestId", request_id), PL_S("operation", operation),
                 PL_S("step", outcome->step), PL_S("statement", outcome->statement),
                 PL_S("sqlstate", outcome->sqlstate[0] != '\0' ? outcome->sqlstate : NULL));
}
