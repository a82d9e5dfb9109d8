"""What a transaction wrote, read from the write-ahead log: exact, whatever the machine and the load.

Only the transaction's own records count. The bytes leave out full page images, which depend on the time of the last
checkpoint, and splits of index pages, which happen once in some hundred entries."""

import collections
import re

KINDS = {
    ("Heap", "INSERT"): "row",
    ("Heap", "HOT_UPDATE"): "HOT update",
    ("Heap", "UPDATE"): "update",
    ("Heap", "DELETE"): "delete",
    ("Heap", "LOCK"): "lock",
    ("Heap", "HEAP_CONFIRM"): "confirmation",
    ("Heap2", "PRUNE"): "pruning",
    ("Btree", "INSERT_LEAF"): "entry",
    ("Btree", "INSERT_POST"): "entry",
    # A split also places the new entry, and then updates the page above.
    ("Btree", "SPLIT_L"): "entry",
    ("Btree", "SPLIT_R"): "entry",
    ("Btree", "INSERT_UPPER"): "splitting",
    ("Btree", "NEWROOT"): "splitting",
    # An index page that is full of entries of few rows: instead of a split.
    ("Btree", "DEDUP"): "splitting",
    ("Btree", "DELETE"): "splitting",
}
SPLITS = {record for record, kind in KINDS.items() if kind == "splitting"} | {("Btree", "SPLIT_L"), ("Btree", "SPLIT_R")}

# The parent's name of a table or an index, by the leaf's name.
LEAVES = """
SELECT pg_relation_filenode(l.oid), coalesce(p.relname, l.relname)
FROM pg_class l LEFT JOIN pg_inherits i ON i.inhrelid = l.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE l.relnamespace::regnamespace::text ~ '^shard_' AND l.relkind IN ('r', 'i')
"""

RECORDS = """
SELECT resource_manager, split_part(record_type, '+', 1), record_length - fpi_length, block_ref
FROM pg_get_wal_records_info_till_end_of_wal(%s) WHERE xid::text = (%s::bigint & 4294967295)::text
"""


class Wal:
    """`session` is a superuser's, in the database that is watched."""

    def __init__(self, session):
        self.session = session
        session.run("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
        self.leaves = dict(session.run(LEAVES))

    def run(self, work):
        """Runs `work` as one transaction. Counter of (what, table or index), bytes of WAL, the result of `work`."""
        start = self.session.value("SELECT pg_current_wal_insert_lsn()")
        self.session.run("BEGIN")
        result = work()
        xid = self.session.value("SELECT pg_current_xact_id_if_assigned()::text")
        self.session.run("COMMIT")
        # A commit that waits for the disk, because the one before perhaps did not. Everything before it can be read then.
        self.session.run("SELECT pg_logical_emit_message(true, '', '')")
        counts, size = collections.Counter(), 0
        for manager, kind, length, blocks in self.session.run(RECORDS, start, xid):
            relation = re.search(r"rel \d+/\d+/(\d+)", blocks or "")
            name = self.leaves.get(int(relation.group(1)), "no leaf") if relation else manager
            counts[KINDS.get((manager, kind), kind), name] += 1
            size += 0 if (manager, kind) in SPLITS else length
        return counts, size, result
