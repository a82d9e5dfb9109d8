#include "store/change_kinds.h"

#include <stdlib.h>
#include <string.h>

/* A slice of a job has at most this many messages, conversations, blocks and groups each. */
#define SLICE_ROWS 1000
/* A change of a group itself: it reads all members and leaves the group's state in one outbox entry
 * per shard of members. */
#define GROUP_STATE_ROWS 200

/* Ascending by name, for bsearch. */
static const pl_change_traits_t kinds[] = {
    {.name = "block"},
    {.name = "clear"},
    {.name = "clear_slice", .rows = SLICE_ROWS, .is_background = true},
    {.name = "decline"},
    {.name = "deletion"},
    {.name = "delivered"},
    {.name = "erase"},
    {.name = "erase_slice", .rows = SLICE_ROWS, .is_background = true},
    {.name = "group_accept", .rows = GROUP_STATE_ROWS},
    {.name = "group_apply"},
    {.name = "group_create", .rows = GROUP_STATE_ROWS},
    {.name = "group_decline"},
    {.name = "group_edit"},
    {.name = "group_invitation"},
    {.name = "group_join", .rows = GROUP_STATE_ROWS},
    {.name = "group_leave", .rows = GROUP_STATE_ROWS},
    {.name = "group_message"},
    {.name = "group_profile", .rows = GROUP_STATE_ROWS},
    {.name = "group_publish", .rows = GROUP_STATE_ROWS},
    {.name = "group_reaction"},
    {.name = "group_receipt"},
    {.name = "group_role", .rows = GROUP_STATE_ROWS},
    {.name = "group_send"},
    {.name = "group_view"},
    {.name = "message"},
    {.name = "peer_receipt"},
    {.name = "reaction"},
    {.name = "read_all", .rows = SLICE_ROWS},
    {.name = "receipt"},
    {.name = "settings"},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int compare_name(const void *name, const void *traits)
{
    return strcmp(name, ((const pl_change_traits_t *)traits)->name);
}

const pl_change_traits_t *pl_change_traits_of(const char *kind)
{
    static const pl_change_traits_t unknown = {.name = ""};
    const pl_change_traits_t *found = bsearch(kind, kinds, KINDS, sizeof(kinds[0]), compare_name);

    return found != NULL ? found : &unknown;
}

const pl_change_traits_t *pl_change_traits_all(size_t *count_r)
{
    *count_r = KINDS;
    return kinds;
}
