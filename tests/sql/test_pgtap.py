"""Runs each file of pgtap/ in a database of its own: one test per file."""

import pathlib
import re
import subprocess

import pytest

FILES = sorted((pathlib.Path(__file__).parent / "pgtap").glob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pgtap(database, path):
    psql = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", path],
                          capture_output=True, text=True, check=False)
    output = psql.stdout + psql.stderr
    assert psql.returncode == 0, output
    failed = re.findall(r"^not ok.*", psql.stdout, re.MULTILINE)
    assert not failed, output
    planned = re.search(r"^1\.\.(\d+)$", psql.stdout, re.MULTILINE)
    assert planned, output
    assert len(re.findall(r"^ok ", psql.stdout, re.MULTILINE)) == int(planned.group(1)) > 0, output


def test_there_are_files():
    assert FILES
