"""Seven generators run on the published document, once for all tests. Their code is compiled together with the chats."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import sys

import pytest

from harness.contract import REPOSITORY
from harness.stack import Stack

CLIENTS = pathlib.Path(__file__).resolve().parent
MODULES = CLIENTS / "node_modules"
# Debian 12's Node is too old for most generators, so npm brings one.
NODE = next(MODULES.glob("node-linux-*/bin/node"), None)

# Name, the arguments of its program, and the files that have its models. {document} and {out} are paths.
GENERATORS = {
    "openapi-typescript": (["openapi-typescript", "{document}", "-o", "{out}/schema.d.ts"], "schema.d.ts"),
    "hey-api": (["openapi-ts", "-i", "{document}", "-o", "{out}", "-c", "@hey-api/client-fetch"], "types.gen.ts"),
    "orval": (["orval", "--input", "{document}", "--output", "{out}/api.ts", "--client", "fetch"], "api.ts"),
    "swagger-typescript-api": (
        ["swagger-typescript-api", "generate", "-p", "{document}", "-o", "{out}", "-n", "api.ts", "--no-client"], "api.ts"),
    "oazapfts": (["oazapfts", "{document}", "{out}/api.ts"], "api.ts"),
    "kubb": (["kubb", "generate", "--config", str(CLIENTS / "kubb.config.mjs")], "models/*.ts"),
    "openapi-zod-client": (["openapi-zod-client", "{document}", "-o", "{out}/api.ts"], "api.ts"),
}


def run_node(*arguments, cwd, **environment):
    """Runs a script with npm's Node; returns the finished process, whose stdout has all output."""
    path = os.pathsep.join([str(NODE.parent), str(MODULES / ".bin"), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as scratch:  # some tools keep caches there
        environment = {**os.environ, "PATH": path, "TMPDIR": scratch, **environment}
        return subprocess.run(
            [str(NODE), *map(str, arguments)], cwd=cwd, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)


def generate(name, work):
    """Runs one generator; returns the files with its models."""
    (program, *arguments), models = GENERATORS[name]
    out = work / "generated" / name
    out.mkdir(parents=True)
    document = work / "openapi.json"
    result = run_node(
        (MODULES / ".bin" / program).resolve(), *(a.format(document=document, out=out) for a in arguments), cwd=work,
        OPENAPI_DOCUMENT=str(document), OPENAPI_OUTPUT=str(out))
    assert result.returncode == 0, f"{name}: {result.stdout[-3000:]}"
    files = sorted(out.glob(models))
    assert files, f"{name} has made no {models}: {sorted(out.rglob('*.ts'))}"
    return files


def guide_code():
    """The TypeScript of the guide, as one program."""
    guide = pathlib.Path(REPOSITORY, "docs", "clients.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```ts\n(.*?)^```$", guide, re.S | re.M))


@pytest.fixture(scope="session", name="work")
def make_work(tmp_path_factory):
    """A directory with the document, the chats, and the packages within reach."""
    assert NODE, "no node_modules: scripts/test clients installs them"
    work = tmp_path_factory.mktemp("clients")
    subprocess.run([sys.executable, "-B", os.path.join(REPOSITORY, "openapi", "build"), work], check=True)
    (work / "node_modules").symlink_to(MODULES)
    (work / "package.json").write_text('{"type": "commonjs"}\n', encoding="utf-8")
    for path in (*CLIENTS.glob("*.ts"), CLIENTS / "tsconfig.json"):
        shutil.copy(path, work)
    (work / "guide.ts").write_text(guide_code(), encoding="utf-8")
    return work


@pytest.fixture(scope="session", name="models")
def make_models(work):
    """By generator, the files with its models. Two run at once, the slowest first."""
    slowest_first = sorted(GENERATORS, key=lambda name: name != "kubb")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = dict(zip(slowest_first, pool.map(lambda name: generate(name, work), slowest_first)))
    shutil.copy(made["openapi-typescript"][0], work / "schema.d.ts")
    return made


@pytest.fixture(scope="session", name="programs")
def make_programs(work, models):  # pylint: disable=unused-argument
    """The directory of the compiled chats. All that was generated is compiled with them."""
    result = run_node(MODULES / "typescript" / "bin" / "tsc", "--project", work, cwd=work)
    assert result.returncode == 0, result.stdout[:6000]
    return work / "compiled"


@pytest.fixture(scope="session")
def stack():
    stack = Stack.start(edge=True)
    yield stack
    stack.stop()
