"""shard list shows the directory's map of shards."""

from conftest import BLOCKED, UNREACHABLE


def test_shard_list(ready):
    shards = ready.ctl("shard", "list")["shards"]
    assert [item["shard"] for item in shards] == [0, 1, 2, 3]
    assert [item["database"] for item in shards] == ["a", "b", "a", "b"]
    assert shards[1] == {"shard": 1, "schema": "shard_0001", "database": "b",
                         "lowestUserId": str(1 << 50), "highestUserId": str((2 << 50) - 1)}
    assert shards[3]["highestUserId"] == str(2**63 - 1)


def test_shard_list_as_text(ready):
    lines = ready.text("shard", "list").splitlines()
    assert lines[1].split() == ["shard_0000", "a", "0", str((1 << 50) - 1)]
    assert "4 shards in 2 databases" in lines[-1]


def test_before_init(system):
    assert "parleyctl init" in system.ctl("shard", "list", expected=BLOCKED)["message"]


def test_unreachable(system):
    system.sections["directory"]["owner_dsn"] = "host=/nonexistent user=parley_owner"
    system.ctl("shard", "list", expected=UNREACHABLE)
