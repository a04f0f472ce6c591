"""A database, a folder with two memories, and a wrong clock."""

import itertools
import shutil
import subprocess

import pytest

from support.backends import Mongo
from support.moving import USERS, everything, fill
from support.server import ROOT, Server

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """By which a server's clock is wrong."""
    library = tmp_path_factory.mktemp("shim") / "wrong_clock.so"
    subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", str(library),
                    str(ROOT / "tests/support/wrong_clock.c"), "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def mongo():
    with Mongo() as running:
        yield running


@pytest.fixture
def database(mongo):
    """A database of the test's own, and the settings of a server on it."""
    name = f"moving_{next(NUMBERS)}"
    return mongo.client()[name], {"ENABLE_DISTRIBUTED_MEMORY": "true", "ENABLE_REDIS": "false",
                                  "DISTRIBUTED_USER_ID": "ada", "MONGODB_URL": mongo.url,
                                  "MONGODB_DATABASE": name}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with the memory of two users, and what is in it. Copy it before changing it."""
    home = tmp_path_factory.mktemp("filled")
    with Server(data_dir=home / "data") as server:
        for user in USERS:
            fill(server, user)
        seen = {user: everything(server, user) for user in USERS}
        assert server.stop() == 0
    return home / "data", seen


@pytest.fixture
def folder(filled, tmp_path):
    shutil.copytree(filled[0], tmp_path / "data")
    return tmp_path, filled[1]
