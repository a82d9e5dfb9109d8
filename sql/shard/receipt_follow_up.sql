-- The follow-up of a receipt: to the peer, whose mailbox shows it, or to the group, which publishes it to its members.
--
-- mailbox_id  of the user who has received or read
-- peer        a user or a group
-- shown       deliveredUpTo, readUpTo: what the others may see
CREATE OR REPLACE FUNCTION {shard}.receipt_follow_up(mailbox_id bigint, peer bigint, shown jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF parley.is_group(peer) THEN
        RETURN jsonb_build_object('mailbox', peer, 'kind', 'group_receipt',
                                  'argument', shown || jsonb_build_object('userId', mailbox_id::text));
    END IF;
    RETURN jsonb_build_object('mailbox', peer, 'kind', 'peer_receipt',
                              'argument', shown || jsonb_build_object('peerId', mailbox_id::text));
END
$$;
