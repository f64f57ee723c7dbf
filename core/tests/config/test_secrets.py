"""Secrets are resolved, and never shown."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import isthmus
from isthmus import Plugin, hookimpl
from isthmus.config import Settings, active_plugins, describe_settings, load_settings
from isthmus.errors import ConfigurationError
from isthmus.redaction import redacted_url


@attrs.frozen
class Options:
    """Options of the plugin under test."""

    password: str = ""
    phrase: str = attrs.field(default="", repr=False)
    place: str = ""


class Sender(Plugin):
    """A plugin with secrets."""

    name: ClassVar[str] = "sender"
    settings: ClassVar[type | None] = Options


class Vault(Plugin):
    """Resolves `vault:` references with a prefix from its own settings."""

    name: ClassVar[str] = "vault"
    settings: ClassVar[type | None] = Options
    calls: ClassVar[list[str]] = []

    @hookimpl
    def isthmus_resolve_secret(self, reference: str) -> str | None:
        kind, _, name = reference.partition(":")
        return f"{self.configured.password}-{name}" if kind == "vault" else None


def sent(**options: str) -> Options:
    """What the plugin gets for these options."""
    settings = load_settings("memory://", plugins=[Sender], sections={"sender": options})
    return configured(settings)


def configured(settings: Settings) -> Options:
    """The settings of the sender."""
    (found,) = [plugin.configured for plugin in active_plugins(settings) if plugin.name == "sender"]
    assert isinstance(found, Options)
    return found


def test_secret_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`secret:env:NAME` stands for a variable's text."""
    monkeypatch.setenv("PW", "hunter2")
    assert sent(password="secret:env:PW").password == "hunter2"


def test_secret_from_a_file(folder: Path) -> None:
    """`secret:file:/path` stands for a file's text without its last line break."""
    (folder / "pw").write_text("hunter2\n", encoding="utf-8")
    assert sent(password=f"secret:file:{folder / 'pw'}").password == "hunter2"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("env:NONE", "variable 'NONE', which a secret refers to, is not set"),
        ("file:none", "file 'none', which a secret refers to, can't be read: No such file or directory"),
        (
            "vault:x",
            "no active plugin resolves secrets of kind 'vault': write secret:env:NAME or secret:file:/path",
        ),
    ],
)
def test_secret_that_is_not_there(reference: str, problem: str) -> None:
    """A reference that leads nowhere is a problem of the option that holds it."""
    with pytest.raises(ConfigurationError) as raised:
        sent(place=f"secret:{reference}")
    assert raised.value.problems == (f"keyword sender: sender.place: {problem}",)


def test_plugin_resolves_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin resolves its own kind of reference, with settings that themselves hold a secret."""
    monkeypatch.setenv("PW", "key")
    sections = {"vault": {"password": "secret:env:PW"}, "sender": {"password": "secret:vault:a"}}
    settings = load_settings("memory://", plugins=[Sender, Vault], sections=sections)
    assert configured(settings).password == "key-a"


def test_url_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole URL may be kept elsewhere, and is not shown then."""
    monkeypatch.setenv("DATABASE", "memory://user:hunter2@host")
    monkeypatch.setenv("ISTHMUS_URL", "secret:env:DATABASE")
    with isthmus.connect() as database:
        assert (database.url, "hunter2" in repr(database)) == ("memory://user:***@host", False)


def test_nothing_shows_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings' text nor their description holds a secret, however it was given."""
    monkeypatch.setenv("ISTHMUS_SENDER__PASSWORD", "hunter1")
    monkeypatch.setenv("WHERE", "hunter2")
    sections = {"sender": {"phrase": "hunter3", "place": "secret:env:WHERE"}}
    settings = load_settings("memory://u:hunter4@h?token=hunter5", plugins=[Sender], sections=sections)
    rows = {row.name: (row.value, row.source) for row in describe_settings(settings)}
    assert rows["sender.password"] == ("***", "ISTHMUS_SENDER__PASSWORD")
    assert rows["sender.phrase"] == rows["sender.place"] == ("***", "keyword sender")
    assert rows["url"] == ("memory://u:***@h?token=***", "keyword url")
    assert "hunter" not in f"{settings!r}{describe_settings(settings)!r}"


def test_description_names_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is described with its value and its source, defaults included."""
    Path("isthmus.toml").write_text("[isthmus]\ntimeout = 2\n[isthmus.retry]\ncap = 1\n", encoding="utf-8")
    monkeypatch.setenv("ISTHMUS_BLOCKED", "a,b")
    rows = {row.name: (row.value, row.source) for row in describe_settings(load_settings("memory://"))}
    assert rows == {
        "url": ("memory://", "keyword url"),
        "timeout": ("2.0", "isthmus.toml:2"),
        "blocked": ("a, b", "ISTHMUS_BLOCKED"),
        "plugins": ("", "default"),
        "retry.attempts": ("5", "default"),
        "retry.base": ("0.025", "default"),
        "retry.cap": ("1.0", "isthmus.toml:4"),
        "retry.budget": ("50.0", "default"),
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///shop.db", "sqlite:///shop.db"),
        ("sqlite:///data/me@home.db", "sqlite:///data/me@home.db"),
        ("data/me@home.db", "data/me@home.db"),
        ("m://h/db?mail=a@b", "m://h/db?mail=a@b"),
        ("m://token@host/x", "m://***@host/x"),
        ("m://token:@host/x", "m://***@host/x"),
        ("m://token@host/x?mail=a@b", "m://***@host/x?mail=a@b"),
        ("u:pw@host", "u:***@host"),
        ("//u:pw@host", "//u:***@host"),
        ("//token@host", "//***@host"),
        ("token@host", "***@host"),
        ("m:u:pw@host", "m:***@host"),
        ("m n://u:pw@host", "m n://u:***@host"),
        ("m://user:pw@host:1/x?a=b", "m://user:***@host:1/x?a=b"),
        ("m://:pw@host", "m://:***@host"),
        ("m://u:p/w@host", "m://u:***@host"),
        ("m://h/?ApiKey=x&b=2#f", "m://h/?ApiKey=***&b=2#f"),
        ("m://h/?pass%77ord=x", "m://h/?pass%77ord=***"),
        ("m://h:27017/db", "m://h:27017/db"),
        ("m://[broken:pw@x", "m://[broken:***@x"),
    ],
)
def test_redacted_url(url: str, shown: str) -> None:
    """A URL is shown without its password and secret options, and otherwise unchanged."""
    assert redacted_url(url) == shown


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="*"), min_size=8))
def test_no_password_survives(password: str) -> None:
    """Whatever a password holds, encoded or not, it is not in the text that is shown."""
    assert password not in redacted_url(f"m://user:{password}@host/db")
