"""scripts/check-layers finds each fault: on a copy of the tree, each planted fault is refused."""

import os
import shutil
import subprocess

import pytest

from harness.contract import REPOSITORY


@pytest.fixture
def tree(tmp_path):
    shutil.copytree(os.path.join(REPOSITORY, "src"), tmp_path / "src")
    (tmp_path / "scripts").mkdir()
    shutil.copy(os.path.join(REPOSITORY, "scripts", "check-layers"), tmp_path / "scripts")
    return tmp_path


def check(tree):
    done = subprocess.run([tree / "scripts" / "check-layers"], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def include(tree, name, header):
    path = tree / "src" / name
    path.write_text(f'#include "{header}"\n' + path.read_text(encoding="utf-8"), encoding="utf-8")


def test_the_tree_is_in_order(tree):
    assert check(tree) == (0, "")


def test_an_include_of_a_layer_above(tree):
    include(tree, "base/text.c", "http/request.h")
    status, said = check(tree)
    assert status == 1 and 'src/base/text.c: base may not include "http/request.h"' in said


@pytest.mark.parametrize("changed", ["base/clock.h", "base/clock.c"], ids=["by-the-header", "by-the-source"])
def test_two_modules_that_include_each_other(tree, changed):
    """x.h and x.c are one module."""
    (tree / "src/base/hours.h").write_text('#include "base/clock.h"\n', encoding="utf-8")
    include(tree, changed, "base/hours.h")
    status, said = check(tree)
    assert status == 1 and "base/clock -> base/hours -> base/clock" in said


def test_a_circle_through_a_private_header(tree):
    """A header that the files of one folder share is a module like any other."""
    include(tree, "http/request_private.h", "http/request.h")
    status, said = check(tree)
    assert status == 1 and "http/request_private -> http/request" in said


def test_a_circle_of_three(tree):
    for name, target in (("one", "two"), ("two", "three"), ("three", "one")):
        (tree / f"src/base/{name}.h").write_text(f'#include "base/{target}.h"\n', encoding="utf-8")
    status, said = check(tree)
    assert status == 1 and "3 modules include each other in a circle (base/one, base/three, base/two)" in said
