-- Whether a kind of change is refused in a mailbox that does not exist or whose user is erased. True for a kind that is not
-- named here. The other kinds check mailboxes themselves: those that erase a user, and those that are for several members.
CREATE OR REPLACE FUNCTION parley.change_needs_mailbox(kind text)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
RETURN kind NOT IN ('erase', 'erase_slice', 'group_apply', 'group_invitation', 'group_message', 'group_view');
