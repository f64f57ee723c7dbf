"""Where settings come from, and which source wins."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs
import pytest

import isthmus
from isthmus import Backend, BackendConfig, Plugin, RetryPolicy, hookimpl
from isthmus.config import Settings, active_plugins, load_settings
from isthmus.errors import ConfigurationError
from isthmus.memory import MemoryBackend


@attrs.frozen
class SinkOptions:
    """Options of the plugin under test."""

    sink: str = "none"
    level: Literal["low", "high"] = "low"
    size: int = 1
    rate: float = 1.0
    quiet: bool = False
    tags: tuple[str, ...] = ()


class Sink(Plugin):
    """A plugin with options."""

    name: ClassVar[str] = "sink-plugin"
    settings: ClassVar[type | None] = SinkOptions


def configured(settings: Settings) -> SinkOptions:
    """What the one active plugin got."""
    (plugin,) = active_plugins(settings)
    assert isinstance(plugin.configured, SinkOptions)
    return plugin.configured


def write(text: str) -> None:
    """Make `isthmus.toml`."""
    Path("isthmus.toml").write_text(text, encoding="utf-8")


def test_url_alone_is_enough() -> None:
    """A URL configures a database, with the documented defaults."""
    settings = load_settings("memory://")
    assert (settings.url, settings.plugins, settings.timeout, settings.retry_policy) == (
        "memory://",
        (),
        None,
        RetryPolicy(),
    )


def test_file_gives_everything() -> None:
    """The file in the working directory gives URL, timeout and sections."""
    write('[isthmus]\nurl = "memory://"\ntimeout = 2\nblocked = ["x"]\n[isthmus.retry]\nattempts = 3\n')
    settings = load_settings()
    assert (settings.url, settings.timeout, settings.blocked, settings.retry_policy.attempts) == (
        "memory://",
        2.0,
        ("x",),
        3,
    )


def test_connect_reads_the_file() -> None:
    """`connect()` without a source opens what the file names."""
    write('[isthmus]\nurl = "memory://"\n')
    with isthmus.connect() as database:
        assert database.backend_name == "memory"


def test_aconnect_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`aconnect()` without a source opens what the environment names."""
    monkeypatch.setenv("ISTHMUS_URL", "memory://")

    async def name() -> str:
        async with isthmus.aconnect() as database:
            return database.backend_name

    assert asyncio.run(name()) == "memory"


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_other_file(way: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config_file=` and `ISTHMUS_CONFIG` name a file in place of the usual one."""
    write('[isthmus]\nurl = "nothing://"\n')
    (folder / "other.toml").write_text('[isthmus]\nurl = "memory://other"\n', encoding="utf-8")
    if way == "variable":
        monkeypatch.setenv("ISTHMUS_CONFIG", "other.toml")
    assert load_settings(config_file="other.toml" if way == "argument" else None).url == "memory://other"


def test_environment_names_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables give the core's options, the retry policy's and those of a plugin with a hyphen in its name."""
    for name, value in {
        "URL": "memory://",
        "BLOCKED": "a, b",
        "TIMEOUT": "1.5",
        "RETRY__ATTEMPTS": "7",
        "SINK_PLUGIN__SIZE": "4",
        "SINK_PLUGIN__QUIET": "yes",
        "SINK_PLUGIN__TAGS": "x,y",
        "SINK_PLUGIN__LEVEL": "high",
    }.items():
        monkeypatch.setenv(f"ISTHMUS_{name}", value)
    settings = load_settings(plugins=[Sink])
    assert (settings.blocked, settings.timeout, settings.retry_policy.attempts) == (("a", "b"), 1.5, 7)
    assert configured(settings) == SinkOptions(size=4, quiet=True, tags=("x", "y"), level="high")


def test_later_sources_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code beats the environment, which beats the file, option by option."""
    write('[isthmus]\ntimeout = 1\n[isthmus.sink-plugin]\nsink = "file"\nsize = 2\nrate = 2.5\n')
    monkeypatch.setenv("ISTHMUS_SINK_PLUGIN__SINK", "environment")
    monkeypatch.setenv("ISTHMUS_SINK_PLUGIN__SIZE", "3")
    settings = load_settings("memory://", plugins=[Sink], sections={"sink-plugin": {"sink": "code"}})
    assert configured(settings) == SinkOptions(sink="code", size=3, rate=2.5)
    assert settings.timeout == 1.0


def test_url_in_code_beats_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL in the call is used, whatever the environment and the file say."""
    write('[isthmus]\nurl = "memory://file"\n')
    monkeypatch.setenv("ISTHMUS_URL", "memory://environment")
    assert load_settings("memory://code").url == "memory://code"
    assert load_settings().url == "memory://environment"


class _Opened(MemoryBackend):
    """Remembers its options."""

    def __init__(self, config: BackendConfig) -> None:
        super().__init__(config.clock)
        self.options = dict(config.options)


class MemoryLike(Plugin):
    """Serves `memory:` URLs with options of its own."""

    name: ClassVar[str] = "memory"
    settings: ClassVar[type | None] = SinkOptions

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        return _Opened(config)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """`memory:` URLs are served by a backend that declares its options."""
    monkeypatch.setattr("isthmus.config.loading.load", lambda *_arguments: MemoryLike)
    monkeypatch.setattr("isthmus.pipeline.load", lambda *_arguments: MemoryLike)


def options_of(database: Any) -> dict[str, Any]:
    """The options that the backend got."""
    options: dict[str, Any] = database.backend.options
    database.close()
    return options


@pytest.mark.usefixtures("declared")
def test_url_options_are_converted() -> None:
    """Options in a URL are text, and reach the backend as what its settings class declares."""
    options = options_of(isthmus.connect("memory://?size=5&quiet=on&tags=a,b"))
    assert options == attrs.asdict(SinkOptions(size=5, quiet=True, tags=("a", "b")))


@pytest.mark.usefixtures("declared")
def test_url_options_have_the_lowest_precedence() -> None:
    """The file beats an option in the URL."""
    write("[isthmus.memory]\nsize = 8\n")
    assert options_of(isthmus.connect("memory://?size=5&rate=3"))["size"] == 8


@pytest.mark.usefixtures("declared")
def test_bad_url_option_is_named() -> None:
    """An unknown option and a wrong value in a URL are both reported."""
    with pytest.raises(ConfigurationError) as raised:
        isthmus.connect("memory://?sise=5&level=middle&size=1&size=2")
    assert raised.value.problems == (
        "URL: option size is given more than once",
        "URL: memory.sise is unknown: did you mean size?",
        "URL: memory.level expects one of low, high, not this text",
    )


def test_retry_policy_in_code_replaces_the_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy object is used as it is, whatever the environment says."""
    monkeypatch.setenv("ISTHMUS_RETRY__CAP", "9")
    assert load_settings("memory://", retry_policy=RetryPolicy(attempts=2)).retry_policy == RetryPolicy(attempts=2)


def test_open_backend_needs_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a backend object, the environment's URL is not even loaded."""
    monkeypatch.setenv("ISTHMUS_URL", "nothing://")
    with isthmus.connect(MemoryBackend()) as database:
        assert database.url == "memory://"


def test_core_alone_does_not_import_typed_settings() -> None:
    """Connecting by URL and code, with no file and no variable, imports no typed-settings."""
    script = (
        "import sys, isthmus; isthmus.connect('memory://', timeout=1, retry={'attempts': 2}).close();"
        "print('typed_settings' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "False"


def test_missing_typed_settings_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where typed-settings is missing, a file is refused with what to install."""
    write('[isthmus]\nurl = "memory://"\n')
    monkeypatch.setitem(sys.modules, "typed_settings", None)
    with pytest.raises(ConfigurationError) as raised:
        load_settings("memory://")
    assert raised.value.problems == ('reading isthmus.toml needs typed-settings: pip install "isthmus[config]"',)
