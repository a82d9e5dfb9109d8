-- How far a message of a 1:1 has come to the user who did not send it, as a user's mailbox has it.
--
-- mailbox_id
-- peer        the other user
-- message     its id
-- after       0, or an id: only a user above it
-- status  done; no-mailbox: the mailbox does not exist or is erased; message-not-found
-- page    the answer of the API as text; null unless it is done
CREATE OR REPLACE FUNCTION {shard}.fetch_receipts(
    mailbox_id bigint, peer bigint, message bigint, after bigint, OUT status text, OUT page text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    held {shard}.message := {shard}.held_message(mailbox_id, peer, message);
    chat {shard}.conversation;
    recipient bigint;
    how_far "char";
BEGIN
    PERFORM FROM {shard}.mailbox b WHERE b.user_id = mailbox_id AND b.erased_timestamp IS NULL;
    status := CASE WHEN NOT FOUND THEN 'no-mailbox' WHEN held.message_id IS NULL THEN 'message-not-found' ELSE 'done' END;
    IF status <> 'done' THEN
        RETURN;
    END IF;
    SELECT c.* INTO chat FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer ORDER BY c.peer_id LIMIT 1;
    IF held.sender_id = mailbox_id THEN
        recipient := peer;
        how_far := parley.delivery_status(message, chat.peer_read_up_to, chat.peer_delivered_up_to);
    ELSE
        recipient := mailbox_id;
        -- A client that reads this has the message.
        how_far := parley.delivery_status(message, chat.read_up_to, message);
    END IF;
    -- A note to oneself has no other recipient.
    page := jsonb_build_object(
        'receipts', CASE WHEN recipient > after AND peer <> mailbox_id
                         THEN jsonb_build_array(jsonb_build_object('userId', recipient::text, 'status', parley.status_word(how_far)))
                         ELSE '[]' END,
        'hasMore', false);
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_receipts(bigint, bigint, bigint, bigint) TO parley_server;
