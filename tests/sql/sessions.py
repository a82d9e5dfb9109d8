"""Sessions for races in given steps: each has a thread of its own, so that a statement may wait for another session's."""

import concurrent.futures
import time

import psycopg2

WAIT = 10  # seconds: far more than any step takes


class Session:
    """One connection. `run` waits for the result; `start` returns an object for `finish`, which waits for the result."""

    def __init__(self, dsn, role="parley_server"):
        self.connection = psycopg2.connect(dsn)
        self.connection.autocommit = True
        self.pid = self.connection.get_backend_pid()
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self.run(f"SET ROLE {role}")

    def start(self, sql, *parameters):
        return self._thread.submit(self._execute, sql, parameters)

    def run(self, sql, *parameters):
        return self.start(sql, *parameters).result(WAIT)

    def value(self, sql, *parameters):
        return self.run(sql, *parameters)[0][0]

    def _execute(self, sql, parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def close(self):
        self._thread.shutdown()
        self.connection.close()


def finish(started):
    return started.result(WAIT)


def wait_until_blocked(observer, session, by):
    """Returns when `session` waits for a lock that the session `by` holds."""
    deadline = time.monotonic() + WAIT
    while by.pid not in observer.value("SELECT pg_blocking_pids(%s)", session.pid):
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.01)


COLUMNS = ("op", "status", "message_id", "version", "mailbox_previous", "mailbox_version", "unread_count",
           "copy_version", "copy_mailbox_previous", "copy_mailbox_version", "copy_unread_count")


class Written:
    """A row of test.write."""

    def __init__(self, row):
        self.__dict__.update(zip(COLUMNS, row))


def user_id(shard, number):
    return (shard << 50) + number


def deliver(recipient, sender, key, content="text", received=5000, copy_mode=0):
    return (recipient, sender, sender, 0, key, content, received, copy_mode)


def copy(sender, recipient, message_id, key, content="text"):
    return (sender, recipient, sender, message_id, key, content, 0, 0)


WRITE = "SELECT * FROM test.write(VARIADIC %s::test.operation[])"


def start_write(session, *operations):
    return session.start(WRITE, list(operations))


def written(started):
    return [Written(row) for row in finish(started)]


def write(session, *operations):
    return written(start_write(session, *operations))


def write_one(session, operation):
    return write(session, operation)[0]
