"""Each distribution as its users get it: a wheel, installed into a clean environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[2]
# Building takes most of the time, so one worker builds for all tests of this file.
pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.xdist_group("packaging")]


@attrs.frozen
class Distribution:
    """One of the distributions of this repository: its folder, name and entry points by group."""

    folder: str
    name: str
    entry_points: dict[str, dict[str, str]]

    @property
    def package(self) -> str:
        """The import package."""
        return self.name.replace("-", "_")


DISTRIBUTIONS = [
    Distribution(
        "core",
        "isthmus",
        {
            "console_scripts": {"isthmus": "isthmus.cli.main:main"},
            "isthmus.backends": {"memory": "isthmus.memory:MemoryPlugin"},
        },
    ),
    Distribution(
        "plugins/sqlite", "isthmus-sqlite", {"isthmus.backends": {"sqlite": "isthmus_sqlite.plugin:SQLitePlugin"}}
    ),
    Distribution(
        "plugins/dynamodb",
        "isthmus-dynamodb",
        {"isthmus.backends": {"dynamodb": "isthmus_dynamodb.plugin:DynamoDBPlugin"}},
    ),
    Distribution(
        "plugins/mongodb",
        "isthmus-mongodb",
        {
            "isthmus.backends": {
                "mongodb": "isthmus_mongodb.plugin:MongoDBPlugin",
                "mongodb+srv": "isthmus_mongodb.plugin:MongoDBPlugin",
            }
        },
    ),
    Distribution(
        "plugins/migration",
        "isthmus-migration",
        {
            "isthmus.plugins": {"migration": "isthmus_migration.plugin:MigrationPlugin"},
            "isthmus.commands": {
                "migrate": "isthmus_migration.cli.commands:migrate",
                "export": "isthmus_migration.cli.transferring:export",
                "import": "isthmus_migration.cli.transferring:import_",
                "verify": "isthmus_migration.cli.checking:verify",
            },
        },
    ),
    Distribution(
        "plugins/conformance",
        "isthmus-conformance",
        {"pytest11": {"isthmus_conformance": "isthmus_conformance.pytest_plugin"}},
    ),
]
each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: distribution.name)

ROUND_TRIP = """
import sys
import isthmus

with isthmus.connect(sys.argv[1]) as db:
    cities = db.table("cities", partition_key="country", sort_key="id")
    cities.ensure()
    cities.put({"country": "FR", "id": "75", "name": "Paris"})
    print(cities.get(country="FR", id="75")["name"])
"""

REFUSED = """
import sys
import isthmus

try:
    isthmus.connect(sys.argv[1])
except isthmus.IsthmusError as error:
    print(error)
"""

DEPENDENCIES = """
from importlib.metadata import distributions
print(",".join(sorted(found.name.lower() for found in distributions())))
"""


def run(*command: str | Path) -> str:
    """Run a command outside the repository's import paths and return what it printed; fail with its errors."""
    clean = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    }
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env=clean, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of all distributions, and of everything that they depend on."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    sources = [ROOT / distribution.folder for distribution in DISTRIBUTIONS]
    # The build backend of the environment that runs the tests serves them all, instead of being fetched for each.
    options = ["--quiet", "--no-build-isolation", "-c", str(ROOT / "constraints.txt"), "-w", str(folder)]
    run(sys.executable, "-m", "pip", "wheel", *options, *sources)
    return folder


@attrs.frozen
class Environment:
    """A clean virtual environment with some of the distributions."""

    folder: Path

    def python(self, script: str, *arguments: str) -> str:
        """Run `script` in this environment, isolated from the caller's, and return what it printed."""
        return run(self.folder / "bin" / "python", "-I", "-W", "error", "-c", script, *arguments)


def make_environment(folder: Path, wheelhouse: Path, *names: str) -> Environment:
    """Create an environment in `folder` and install the distributions called `names` from the wheelhouse alone."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    options = ["--quiet", "--no-index", "--find-links", str(wheelhouse)]
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", *options, *names)
    return Environment(folder)


@pytest.fixture(scope="session")
def core_alone(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Environment:
    """An environment with the core only."""
    return make_environment(tmp_path_factory.mktemp("core"), wheelhouse, "isthmus")


@pytest.fixture(scope="session")
def with_sqlite(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Environment:
    """An environment with the core and the SQLite backend."""
    return make_environment(tmp_path_factory.mktemp("sqlite"), wheelhouse, "isthmus-sqlite")


@pytest.fixture(scope="session")
def with_dynamodb(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Environment:
    """An environment with the core and the DynamoDB backend."""
    return make_environment(tmp_path_factory.mktemp("dynamodb"), wheelhouse, "isthmus", "isthmus-dynamodb")


@pytest.fixture(scope="session")
def with_mongodb(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Environment:
    """An environment with the core and the MongoDB backend."""
    return make_environment(tmp_path_factory.mktemp("mongodb"), wheelhouse, "isthmus", "isthmus-mongodb")


@pytest.fixture(scope="session")
def with_migration(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Environment:
    """An environment with the core and the migration."""
    return make_environment(tmp_path_factory.mktemp("migration"), wheelhouse, "isthmus-migration")


@pytest.fixture(scope="session")
def with_conformance(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Environment:
    """An environment with the core and the conformance kit."""
    return make_environment(tmp_path_factory.mktemp("conformance"), wheelhouse, "isthmus-conformance")


def wheel_of(distribution: Distribution, wheelhouse: Path) -> zipfile.ZipFile:
    """Open the one wheel of `distribution`."""
    (path,) = wheelhouse.glob(f"{distribution.package}-[0-9]*.whl")
    return zipfile.ZipFile(path)


def metadata_file(wheel: zipfile.ZipFile, name: str) -> str:
    """Return the text of a file in the wheel's `.dist-info` folder."""
    (member,) = [member for member in wheel.namelist() if member.endswith(f".dist-info/{name}")]
    return wheel.read(member).decode()


@each_distribution
def test_wheel_says_that_it_is_typed(distribution: Distribution, wheelhouse: Path) -> None:
    """Every wheel carries `py.typed` in its import package."""
    with wheel_of(distribution, wheelhouse) as wheel:
        assert f"{distribution.package}/py.typed" in wheel.namelist()


@each_distribution
def test_wheel_has_entry_points(distribution: Distribution, wheelhouse: Path) -> None:
    """Every wheel registers exactly the entry points that discovery and the command line rely on."""
    parser = ConfigParser()
    with wheel_of(distribution, wheelhouse) as wheel:
        parser.read_string(metadata_file(wheel, "entry_points.txt"))
    assert {section: dict(parser[section]) for section in parser.sections()} == distribution.entry_points


@each_distribution
def test_wheel_holds_one_package(distribution: Distribution, wheelhouse: Path) -> None:
    """A wheel holds its import package and its metadata, and no tests."""
    with wheel_of(distribution, wheelhouse) as wheel:
        members = [member.split("/") for member in wheel.namelist()]
    assert {parts[0] for parts in members} == {distribution.package, f"{distribution.package}-0.1.0.dist-info"}
    assert [parts for parts in members if "tests" in parts or parts[-1] == "conftest.py"] == []


@each_distribution
def test_wheel_carries_the_licence(distribution: Distribution, wheelhouse: Path) -> None:
    """Every wheel carries the text of the licence that it names."""
    with wheel_of(distribution, wheelhouse) as wheel:
        assert "License-Expression: Apache-2.0" in metadata_file(wheel, "METADATA")
        assert metadata_file(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_core_alone_installs_four_dependencies(core_alone: Environment) -> None:
    """Beside the core itself, only its four dependencies (and what cattrs needs) are installed."""
    installed = set(core_alone.python(DEPENDENCIES).split(","))
    assert installed - {"typing_extensions", "typing-extensions"} == {"isthmus", "attrs", "cattrs", "loguru", "pluggy"}


def test_core_alone_has_the_memory_backend(core_alone: Environment) -> None:
    """The core stores and reads an item without any plugin."""
    assert core_alone.python(ROUND_TRIP, "memory://") == "Paris"


@pytest.mark.parametrize("url", ["sqlite:///cities.db", "mongodb://localhost/cities", "dynamodb://eu-west-1/"])
def test_missing_backend_names_its_package(core_alone: Environment, url: str) -> None:
    """A URL of a backend that is not installed is refused with the name of the package to install."""
    assert f"isthmus-{url.partition(':')[0]}" in core_alone.python(REFUSED, url)


def test_command_without_its_extra_says_what_to_install(core_alone: Environment) -> None:
    """The command of a core without the `cli` extra ends with the name of that extra, not with a traceback."""
    command = [str(core_alone.folder / "bin" / "isthmus"), "plugins"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
    assert "isthmus[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_sqlite_is_found_once_installed(with_sqlite: Environment, tmp_path: Path) -> None:
    """With its package installed, an SQLite URL stores and reads an item."""
    assert with_sqlite.python(ROUND_TRIP, f"sqlite:///{tmp_path / 'cities.db'}") == "Paris"
    assert (tmp_path / "cities.db").is_file()


def test_dynamodb_brings_its_driver_alone(with_dynamodb: Environment) -> None:
    """The DynamoDB backend installs boto3 and no MongoDB driver."""
    installed = set(with_dynamodb.python(DEPENDENCIES).split(","))
    assert installed & {"isthmus-dynamodb", "boto3", "pymongo"} == {"isthmus-dynamodb", "boto3"}


def test_mongodb_brings_its_driver_alone(with_mongodb: Environment) -> None:
    """The MongoDB backend installs PyMongo and nothing of AWS."""
    installed = set(with_mongodb.python(DEPENDENCIES).split(","))
    assert installed & {"isthmus-mongodb", "pymongo", "boto3", "botocore"} == {"isthmus-mongodb", "pymongo"}


def test_migration_brings_the_command_line_and_no_extra(with_migration: Environment) -> None:
    """The migration installs what its commands need; drivers, Dask and Parquet are asked for by name."""
    installed = set(with_migration.python(DEPENDENCIES).split(","))
    wanted, optional = {"isthmus-migration", "click", "rich", "orjson", "zstandard"}, {"distributed", "dask", "pyarrow"}
    assert installed & (wanted | optional | {"boto3", "pymongo", "isthmus-sqlite"}) == wanted


def test_migration_has_its_extras(wheelhouse: Path) -> None:
    """Dask and Parquet are the two extras."""
    (migration,) = [one for one in DISTRIBUTIONS if one.name == "isthmus-migration"]
    with wheel_of(migration, wheelhouse) as wheel:
        extras = message_from_string(metadata_file(wheel, "METADATA")).get_all("Provides-Extra")
    assert sorted(extras or []) == ["dask", "parquet"]


def test_migration_is_found_once_installed(with_migration: Environment) -> None:
    """With its package installed, the plugin works and is not active by itself."""
    script = "from isthmus.plugins import list_plugins; print([(p.name, p.status) for p in list_plugins()])"
    assert "('migration', 'available')" in with_migration.python(script)


def test_conformance_kit_is_a_pytest_plugin(with_conformance: Environment) -> None:
    """With the kit installed, pytest loads it by its entry point."""
    script = "import sys, pytest; sys.exit(pytest.main(['--trace-config', '--collect-only', '-q', sys.argv[1]]) != 5)"
    folder = with_conformance.folder / "empty"
    folder.mkdir()
    assert "isthmus_conformance" in with_conformance.python(script, str(folder))
