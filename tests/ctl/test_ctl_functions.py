"""The functions in a database, as parleyctl has applied them: who may execute them, and their descriptions."""

import os
import re

FUNCTIONS = """
SELECT p.oid::regproc::text AS name, has_function_privilege('public', p.oid, 'EXECUTE'),
       has_function_privilege('parley_server', p.oid, 'EXECUTE'), obj_description(p.oid, 'pg_proc')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'parley' OR n.nspname ~ '^shard_[0-9]{4}$'
"""

NEW = """-- Adds 1: it's
-- the test's.
--
-- n  not part of the description
CREATE OR REPLACE FUNCTION {schema}.{name}(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n + 1';
"""


def shards(system):
    return [row[0] for row in system.sql("a", "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^shard_' ORDER BY 1")]


def files(system):
    """(name of a function as in database a, its file's text)."""
    for folder, schemas in (("sql", ["parley"]), ("sql/shard", shards(system))):
        for file in sorted(os.listdir(os.path.join(system.tree.path, folder))):
            if file.endswith(".sql") and file != "create_shard.sql":
                text = system.tree.read(f"{folder}/{file}")
                for schema in schemas:
                    yield f"{schema}.{file[:-4]}", text


def check(system):
    """Each function is there once. The server may execute those that are granted to it, and PUBLIC none."""
    found = {name: rest for name, *rest in system.sql("a", FUNCTIONS)}
    assert found.keys() == dict(files(system)).keys()
    for name, text in files(system):
        for_public, for_server, description = found[name]
        assert not for_public, name
        assert for_server == ("GRANT EXECUTE" in text), name
        first = re.match(r"(?:-- .*\n)+", text).group()
        assert description == " ".join(line[3:] for line in first.splitlines()), name


def test_functions_of_a_new_database(ready):
    check(ready)
    granted = [name for name, text in files(ready) if "GRANT EXECUTE" in text]
    assert len(shards(ready)) == 2
    assert {"parley.write_messages", shards(ready)[1] + ".fetch_updates"} <= set(granted)


def test_functions_that_are_added_to_an_existing_database(ready):
    """Neither file has a REVOKE: PostgreSQL itself would let PUBLIC execute them."""
    ready.tree.write("sql/add_one.sql", NEW.format(schema="parley", name="add_one"))
    ready.tree.write("sql/shard/add_two.sql", NEW.format(schema="{shard}", name="add_two"))
    ready.ctl("migrate", "up")
    check(ready)
    assert ready.scalar("a", f"SELECT obj_description('{shards(ready)[1]}.add_two'::regproc, 'pg_proc')") == "Adds 1: it's the test's."


def test_a_changed_description_is_applied(ready):
    path = "sql/is_group.sql"
    ready.tree.write(path, "-- Another description.\n" + ready.tree.read(path).split("\n", 1)[1])
    ready.ctl("migrate", "up")
    check(ready)
