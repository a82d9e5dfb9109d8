"""Puts Parley's schema into a database, from the files that parleyctl uses: migrations/ and sql/."""

import pathlib

import psycopg2

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARD_BITS = 50


def shard_schema(shard):
    return f"shard_{shard:04d}"


def load(dsn, shards):
    """As parley_owner, one transaction per file or shard."""
    connection = psycopg2.connect(dsn)
    for folder in ("migrations/directory", "migrations/database", "sql"):
        for path in sorted((ROOT / folder).glob("*.sql")):
            _run(connection, path.read_text(encoding="utf-8"))
    for shard in range(shards):
        _run(connection, shard_sql(shard, shards))
    connection.close()


def shard_sql(shard, shards):
    upper = "MAXVALUE" if shard == shards - 1 else str((shard + 1) << SHARD_BITS)
    paths = sorted((ROOT / "sql/shard").glob("*.sql"), key=lambda path: (path.stem != "create_shard", path.stem))
    return "\n".join(
        path.read_text(encoding="utf-8")
        .replace("{shard}", shard_schema(shard))
        .replace("{lower}", str(shard << SHARD_BITS))
        .replace("{upper}", upper)
        for path in paths)


def _run(connection, sql):
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
