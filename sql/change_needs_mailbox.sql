-- Whether a change of this kind is refused in a mailbox that does not exist or whose user is erased. Only the kinds that are named
-- here are not refused: they check mailboxes themselves. They erase a user, or are for several members.
CREATE OR REPLACE FUNCTION parley.change_needs_mailbox(kind text)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
RETURN kind NOT IN ('erase', 'erase_slice', 'group_apply', 'group_invitation', 'group_message', 'group_view');
