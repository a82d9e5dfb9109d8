#include "api/updates_drain.h"

#include "api/event_stream.h"
#include "api/poll.h"

void pl_updates_drain(pl_updates_t *updates)
{
    updates->draining = true;
    pl_poll_drain(updates);
    pl_event_stream_drain(updates);
}
