"""Receipts per second, each of which reads a conversation to its end: with both sides, and with only the reader's.

Half of the users do not share their receipts, and their messages are delivered already: their receipts have no follow-up on the other side.
"""

from generators import repeated, run_load


def _users_file(bench, name, lines):
    path = bench.directory / f"users-{name}"
    path.write_text("".join(lines), encoding="ascii")
    path.chmod(0o644)
    return path


def _tell_nobody(bench, ids):
    for name in bench.stack.databases:
        connection = bench.stack.connect(name)
        connection.cursor().execute("UPDATE parley.account SET read_receipts = false WHERE user_id = ANY (%s)", (ids,))
        connection.cursor().execute("UPDATE parley.conversation SET delivered_up_to = last_message_id"
                                    " WHERE user_id = ANY (%s)", (ids,))
        connection.close()


def measure(bench):
    lines = bench.users_file.read_text("ascii").splitlines(keepends=True)
    half = len(lines) // 2
    _tell_nobody(bench, [int(line.split()[0]) for line in lines[:half]])
    sides = {"one": _users_file(bench, "one", lines[:half]), "both": _users_file(bench, "both", lines[half:])}
    result = {}
    for protocol in ("h1", "h2c"):
        for side, users in sides.items():
            run = repeated(bench, lambda p=protocol, u=users: run_load(bench, "receipts", p, users=u))
            result[f"{side}, {protocol}"] = run
            print(f"receipts, {protocol}, {side} side(s): {run['rate']:,.0f}/s", flush=True)
    return result
