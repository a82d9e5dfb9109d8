"""Makes the package `harness` importable from every suite, raises the limit of open files (the suites
hold thousands of sockets), and makes SIGTERM an exit like any, so that what was started is stopped."""

import logging
import os
import resource
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

# A task that is collected with an exception that nobody fetched gets logged with its traceback. If the
# collector runs while pytest parses source for its own report, CPython 3.11 fails with "AST constructor
# recursion depth mismatch" (gh-106905), and hides why the test failed.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
