-- What a receipt owes: to the peer, in whose mailbox it shows, or to the group, which tells its members.
--
-- mailbox_id  whose receipt it is
-- peer        a user or a group
-- told        deliveredUpTo, readUpTo: what the others may know of it
CREATE OR REPLACE FUNCTION {shard}.receipt_owed(mailbox_id bigint, peer bigint, told jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (peer >> 8) & 1 = 1 THEN
        RETURN jsonb_build_object('mailbox', peer, 'kind', 'group_receipt',
                                  'argument', told || jsonb_build_object('userId', mailbox_id::text));
    END IF;
    RETURN jsonb_build_object('mailbox', peer, 'kind', 'peer_receipt',
                              'argument', told || jsonb_build_object('peerId', mailbox_id::text));
END
$$;
REVOKE ALL ON FUNCTION {shard}.receipt_owed(bigint, bigint, jsonb) FROM PUBLIC;
