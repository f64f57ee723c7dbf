"""Everything that is wrong with a configuration, reported at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import isthmus
from isthmus import Plugin, plugins
from isthmus.config import load_settings
from isthmus.errors import ConfigurationError, PluginError


@attrs.frozen
class Options:
    """Options of the plugin under test."""

    path: str
    size: int = attrs.field(default=1, validator=attrs.validators.le(10))
    password: str = attrs.field(default="", validator=attrs.validators.max_len(3))

    def __attrs_post_init__(self) -> None:
        if self.path == "both" and self.size == 2:
            raise ValueError("path both needs another size")


class Store(Plugin):
    """A plugin with options."""

    name: ClassVar[str] = "store"
    settings: ClassVar[type | None] = Options


class Plain(Plugin):
    """A plugin without options."""

    name: ClassVar[str] = "plain"


def problems(text: str = "", url: str | None = "memory://", **options: Any) -> tuple[str, ...]:
    """The problems of a file with this text and of these arguments."""
    if text:
        Path("isthmus.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(url, **options)
    return raised.value.problems


def test_five_mistakes_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration with five mistakes, in the file, the environment and the code, is refused with all five."""
    monkeypatch.setenv("ISTHMUS_RETRY__ATEMPTS", "3")
    text = '[isthmus]\nurl = "memory://"\n\n[isthmus.retry]\n# slow\nbase = "soon"\n\n[isthmus.memry]\nsize = 1\n'
    assert problems(text, url=None, timeout=-1, sections={"timout": 3}) == (
        "keyword timeout: timeout expects a number of seconds above 0",
        "isthmus.toml:6: retry.base expects a number, not this text",
        "ISTHMUS_RETRY__ATEMPTS: retry.atempts is unknown: did you mean ISTHMUS_RETRY__ATTEMPTS?",
        "keyword timout: timout is unknown: did you mean timeout?",
        "isthmus.toml:8: section memry is unknown: did you mean memory?",
    )


def test_message_lists_every_problem() -> None:
    """The error's text holds each problem on its own line."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings("memory://", timeout=-1, sections={"nothing_like_it": 3})
    assert [line[:2] for line in str(raised.value).splitlines()] == ["2 ", "- ", "- "]


def test_line_of_a_list() -> None:
    """A value that spans lines is reported where it begins."""
    assert problems('[isthmus]\n\ntimeout = [\n  1,\n  2,\n]\nblocked = "x"\n') == (
        "isthmus.toml:3: timeout expects a number, not a list",
    )


def test_invalid_toml_names_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A syntax error is reported with its line, beside the problems of other sources."""
    monkeypatch.setenv("ISTHMUS_TIMEOUT", "never")
    assert problems('[isthmus]\nurl = "memory://\n') == (
        "isthmus.toml:2: invalid TOML: Illegal character '\\n'",
        "ISTHMUS_TIMEOUT: timeout expects a number, not this text",
    )


def test_missing_file() -> None:
    """A file that was asked for must exist."""
    assert problems(config_file="none.toml") == ("none.toml: the file does not exist",)


def test_table_outside_of_isthmus() -> None:
    """A table outside of [isthmus] is reported, with what to write."""
    assert problems("timeout = 3\n") == (
        "isthmus.toml:1: timeout is outside of the table [isthmus]: write [isthmus] above it",
    )


def test_variable_is_spelled_as_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest name to an unknown variable is a variable."""
    monkeypatch.setenv("ISTHMUS_TIMOUT", "3")
    assert problems() == ("ISTHMUS_TIMOUT: timout is unknown: did you mean ISTHMUS_TIMEOUT?",)


def test_section_that_is_no_table() -> None:
    """A section's name with a plain value is refused."""
    assert problems(sections={"memory": 3}) == ("keyword memory: memory expects a table of options",)


def test_section_of_a_missing_first_party_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section of a backend that is not installed names its package."""
    monkeypatch.setitem(plugins.FIRST_PARTY, plugins.BACKENDS, ("shelf",))
    assert problems("[isthmus.shelf]\nregion = 'x'\n") == (
        "isthmus.toml:1: section shelf is unknown: pip install isthmus-shelf",
    )


def test_plugin_without_options_takes_none() -> None:
    """A plugin that declares no options is given none."""
    assert problems(plugins=[Plain], sections={"plain": {"a": 1}}) == (
        "keyword plain: plain.a is unknown: plain takes no options",
    )


def test_missing_option_says_where_to_set_it() -> None:
    """An option without a default must be given."""
    assert problems(plugins=[Store]) == ("store: store.path is missing: set it in the file, or as ISTHMUS_STORE__PATH",)


def test_overridden_value_is_still_checked() -> None:
    """A wrong value is reported although a stronger source gives a right one."""
    text = "[isthmus.store]\npath = 3\n"
    assert problems(text, plugins=[Store], sections={"store": {"path": "x"}}) == (
        "isthmus.toml:2: store.path expects text, not this number",
    )


def test_validators_are_asked() -> None:
    """What an option's validator refuses is reported with its place."""
    assert problems(plugins=[Store], sections={"store": {"path": "x", "size": 11}}) == (
        "keyword store: store.size is not allowed: 'size' must be <= 10: 11",
    )


def test_refused_secret_is_not_shown() -> None:
    """What a validator says of a secret is left out."""
    assert problems(plugins=[Store], sections={"store": {"path": "x", "password": "hunter2"}}) == (
        "keyword store: store.password has a value that is not allowed",
    )


def test_options_that_do_not_fit_together() -> None:
    """What the settings class itself refuses is reported."""
    assert problems(plugins=[Store], sections={"store": {"path": "both", "size": 2}}) == (
        "keyword store: store is not allowed: path both needs another size",
    )


@pytest.mark.parametrize("value", ["3", True, float("nan"), [1]])
def test_timeout_of_another_type(value: object) -> None:
    """A timeout in code is a number of seconds; text is read as one."""
    if value == "3":
        assert load_settings("memory://", timeout=value).timeout == 3.0  # type: ignore[arg-type]  # on purpose
    else:
        (problem,) = problems(timeout=value)
        assert problem.startswith("keyword timeout: timeout expects a number, not ")


def test_no_url_says_the_ways_to_give_one() -> None:
    """Without any URL, the error names the call, the variable and the file."""
    (problem,) = problems(url=None)
    assert [word for word in ("sqlite:///shop.db", "ISTHMUS_URL", "isthmus.toml") if word in problem] == [
        "sqlite:///shop.db",
        "ISTHMUS_URL",
        "isthmus.toml",
    ]


@pytest.mark.parametrize("path", ["shop.db", "data/shop.db", "./shop.db", "C:\\shop.db"])
def test_path_in_place_of_a_url(path: str) -> None:
    """A path is answered with the URL that opens it."""
    assert problems(url=path) == (f"keyword url: {path!r} has no scheme: a file is opened with sqlite:///{path}",)


def test_unreadable_url() -> None:
    """A URL that can't be split is refused without a traceback of the standard library."""
    (problem,) = problems(url="memory://[x")
    assert problem.startswith("keyword url: the URL can't be read: ")


def test_plugin_problem_joins_the_others() -> None:
    """A missing plugin is one of the problems; alone, it is a `PluginError`."""
    found = problems(plugins=["nothing"], timeout=-1)
    assert found[0] == "keyword timeout: timeout expects a number of seconds above 0"
    with pytest.raises(PluginError, match="no installed plugin is named 'nothing'"):
        load_settings("memory://", plugins=["nothing"])


def test_optional_url() -> None:
    """Tools may do without a URL."""
    assert load_settings(url_use="optional").url == ""


def test_variables_of_the_test_engines_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """They say where servers are, and a database opens beside them."""
    monkeypatch.setenv("ISTHMUS_ENGINE_MONGODB_URL", "mongodb://localhost/")
    with isthmus.connect("memory://") as database:
        assert database.tables.list() == []
