"""Python functions as transforms: found by import path in every process, and known by the hash of their source.

The hash covers the file of the function's module and nothing else: what that module imports may change without a plan's
noticing, so a transform that must not change under a plan is kept in one file. A process that has imported a module
goes on with what it imported, so one that changed since then is refused.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from pathlib import Path as FilePath
from typing import Any, Final

from isthmus.errors import ConfigurationError, InvalidArgument, IsthmusError
from isthmus.values import Item, ValueLimits, copy_item, normalise_attributes
from isthmus_migration.transforms.errors import TransformError

_NAME: Final = r"[^\W\d]\w*"
_PATH: Final = re.compile(rf"({_NAME}(?:\.{_NAME})*):({_NAME}(?:\.{_NAME})*)")
_FAILURES: Final = (Exception, SystemExit)
"""What importing may raise: a program that calls ``sys.exit`` would end ours, as if nothing were left to do."""
Function = Callable[[Item], Any]
_loaded: dict[str, str] = {}  # hashes of modules' sources, as they were when this process first needed them


def check_import_path(path: object) -> tuple[str, str]:
    """The module and the name within it of ``package.module:name``. Nothing is imported.

    :raises InvalidArgument: it has another form, or names the main program, which workers can't import
    """
    found = _PATH.fullmatch(path) if isinstance(path, str) else None
    if found is None:
        raise InvalidArgument(f"a function is named as package.module:name, not {path!r}")
    if found[1] == "__main__":
        raise InvalidArgument(f"{path}: workers can't import the main program: put the function into a module")
    return found[1], found[2]


def source_hash(path: str) -> str:
    """The SHA-256 of the file that holds a function's module, in hexadecimal digits.

    :raises ConfigurationError: there is no such module, or it has no file
    """
    module, _ = check_import_path(path)
    try:
        spec = find_spec(module)
    except _FAILURES as error:
        raise _unimportable(path, error) from error
    if spec is None or not spec.has_location or spec.origin is None:
        raise ConfigurationError(
            f"the transform {path} can't be found: is there a file of module {module} on the path?"
        )
    return sha256(FilePath(spec.origin).read_bytes()).hexdigest()


def load_function(path: str) -> Function:
    """The function of an import path.

    :raises ConfigurationError: importing fails, there is no such function, or it is none that can be called for an
        item; or the module's source has changed since this process imported it
    """
    module, name = check_import_path(path)
    _check_unchanged(path, module)
    try:
        found: Any = import_module(module)
    except _FAILURES as error:
        raise _unimportable(path, error) from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigurationError(f"the transform {path} can't be found: module {module} has no function {name}")
    if iscoroutinefunction(found) or isgeneratorfunction(found) or isasyncgenfunction(found):
        raise ConfigurationError(f"the transform {path} is async or a generator: write a function that returns an item")
    return found  # type: ignore[no-any-return]  # what it returns is checked for each item


def _check_unchanged(path: str, module: str) -> None:
    now = source_hash(path)
    if module not in sys.modules:
        _loaded[module] = now
    elif _loaded.setdefault(module, now) != now:
        raise ConfigurationError(
            f"the source of the transform {path} has changed since this process imported it: start a new process"
        )


def _unimportable(path: str, error: BaseException) -> ConfigurationError:
    # The message of an import error names modules only; others may say anything.
    reason = f": {error}" if isinstance(error, ImportError) else ""
    return ConfigurationError(f"the transform {path} can't be imported, {type(error).__name__}{reason}")


def function_step(path: str, function: Function, limits: ValueLimits) -> Callable[[Item], Item | None]:
    """A step that calls a function with a copy of the item, and checks what it returns."""

    def call(item: Item) -> Item | None:
        try:
            result = function(copy_item(item))
        except KeyboardInterrupt:
            raise
        except TransformError as error:
            code: Any = error.code  # whatever the function has put there
            if isinstance(code, str):
                raise
            reason = f"{path} raised a TransformError whose code is no text: give it one"
            raise TransformError("function_failed", (), reason) from error
        except BaseException as error:
            # Also sys.exit(): it would end a run in this process, as if nothing were left to do. A message may hold
            # values of the item, so only the type is told; the rest is the cause.
            raise TransformError("function_failed", (), f"{path} raised {type(error).__name__}") from error
        return None if result is None else _checked(path, result, limits)

    return call


def _checked(path: str, result: Any, limits: ValueLimits) -> Item:
    if not isinstance(result, Mapping):
        raise TransformError("wrong_shape", (), f"{path} returned a {type(result).__name__}: return an item or None")
    try:
        return normalise_attributes(result, limits, top_level=True)
    except IsthmusError as error:
        raise TransformError(
            "invalid_value", (), f"{path} returned an item that is not portable: {error.message}"
        ) from None
    except Exception as error:
        # What it returned reads its values only now, and fails.
        reason = f"{path} returned a {type(result).__name__} that raised {type(error).__name__} when it was read"
        raise TransformError("function_failed", (), f"{reason}: return a plain dict") from error
