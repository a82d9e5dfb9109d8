"""CPU time of each part of the system, from /proc: of a run, and per request."""

import os

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        text = file.read()
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    # Parent; user and system ticks of the process and of its children that have ended.
    return name, int(fields[1]), sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))


def _tree(root):
    """Returns the ticks of a process and all its descendants, including those that have ended.

    A child that ends during the reading may be counted twice or not at all: then the tree is read again. This happens with the
    sessions of a pgbench that has just ended.
    """
    while True:
        ended = _stat(root)[3]
        total = _sum(root)
        if _stat(root)[3] == ended:
            return total


def _sum(root):
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stats[int(entry)] = _stat(entry)
            except (FileNotFoundError, ProcessLookupError):
                continue
    wanted, total = {root}, 0
    changed = True
    while changed:
        changed = False
        for pid, (_, parent, _, _) in stats.items():
            if parent in wanted and pid not in wanted:
                wanted.add(pid)
                changed = True
    for pid in wanted & stats.keys():
        total += stats[pid][2] + stats[pid][3]
    return total


class Meter:
    """with Meter({"parleyd": pid, ...}) as meter: ...; meter.seconds["parleyd"]"""

    def __init__(self, pids):
        self.pids, self.seconds = pids, {}

    def __enter__(self):
        self.before = {name: _tree(pid) for name, pid in self.pids.items()}
        self.children = os.times()
        return self

    def __exit__(self, *_):
        for name, pid in self.pids.items():
            self.seconds[name] = (_tree(pid) - self.before[name]) * TICK_S
        after = os.times()
        self.seconds["load generator"] = (
            after.children_user + after.children_system - self.children.children_user - self.children.children_system
        )
