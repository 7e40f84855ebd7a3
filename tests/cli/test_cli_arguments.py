"""The arguments of a task as words, and their fit to its signature."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hueycore import MemoryHuey
from hueyctl.errors import CliError
from hueyctl.producers.arguments import Call, parse_words
from hueyctl.producers.coerce import Unfit, convert
from hueyctl.producers.tasks import fit_call


def parsed(*words: str) -> Call:
    return parse_words(words, None, None)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("word", "word"), ("", ""), ("5", "5"), ("a b", "a b"), (":5", 5), (":null", None),
        (':{"a": [1]}', {"a": [1]}), (':"x"', "x"), ("@@x", "@x"), ("@@", "@"), ("@@@x", "@@x"),
        ("http://x?y=1", "http://x?y=1"), ("a-b=c", "a-b=c"), ("=x", "=x"), ("1=x", "1=x"),
    ],
)  # fmt: skip
def test_a_word_is_one_argument(word: str, value: Any) -> None:
    assert parsed(word) == Call([value], {})


@pytest.mark.parametrize(
    ("word", "value"),
    [("k=v", "v"), ("k=", ""), ("k=a=b", "a=b"), ("k:=5", 5), ("k:=[1]", [1]), ("k=@@x", "@x"),
     ("k=:5", ":5"), ("k=a\nb", "a\nb")],
)  # fmt: skip
def test_a_word_with_an_equals_sign_is_a_keyword(word: str, value: Any) -> None:
    assert parsed(word) == Call([], {"k": value})


def test_files_and_stdin_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "f.txt").write_bytes("grüße\r\n".encode())
    monkeypatch.setattr("sys.stdin", io.StringIO("from stdin"))

    assert parsed("@f.txt", "k=@f.txt", "@-") == Call(
        ["grüße\r\n", "from stdin"], {"k": "grüße\r\n"}
    )


def test_a_byte_order_mark_is_no_part_of_an_argument(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "f.txt").write_bytes("\ufeffa\ufeff\r\n".encode())
    monkeypatch.setattr("sys.stdin", io.StringIO("\ufefffrom stdin"))

    assert parsed("@f.txt", "@-") == Call(["a\ufeff\r\n", "from stdin"], {})


def test_stdin_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))

    with pytest.raises(CliError, match="one argument only"):
        parsed("@-", "k=@-")


def test_json_arguments_are_merged() -> None:
    assert parse_words(["a", "k=v"], '[1, "two"]', '{"n": 1}') == Call(
        ["a", 1, "two"], {"k": "v", "n": 1}
    )


@pytest.mark.parametrize(
    ("words", "args", "kwargs"),
    [
        ([":{"], None, None), (["k:=x"], None, None), (["@missing"], None, None),
        (["k=1", "k=2"], None, None), ([], "{}", None), ([], None, "[]"), ([], "[", None),
        (["k=1"], None, '{"k": 1}'), ([":NaN"], None, None), ([":" + "[" * 10**5], None, None),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_a_usage_error(
    home: Path, words: list[str], args: str | None, kwargs: str | None
) -> None:
    with pytest.raises(CliError) as caught:
        parse_words(words, args, kwargs)

    assert caught.value.code == 2


def test_a_file_of_bytes_is_refused(home: Path) -> None:
    (home / "image").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CliError, match="not UTF-8"):
        parsed("@image")


@given(st.lists(st.text(min_size=1).filter(lambda text: text[0] not in ":@" and "=" not in text)))
def test_plain_words_arrive_as_they_are(words: list[str]) -> None:
    assert parsed(*words) == Call(words, {})


# --- fit -----------------------------------------------------------------------------------------


class Size(Enum):
    SMALL = 1
    LARGE = "l"


@pytest.mark.parametrize(
    ("value", "hint", "wanted"),
    [
        ("5", int, 5), ("5", float, 5.0), (5, float, 5.0), ("x", str, "x"), ("true", bool, True),
        ("no", bool, False), (True, bool, True), ("1.10", Decimal, Decimal("1.10")),
        (2, Decimal, Decimal(2)), ("2030-01-31", date, date(2030, 1, 31)),
        ("2030-01-31T12:00", datetime, datetime(2030, 1, 31, 12)), ("12:30", time, time(12, 30)),
        ("90s", timedelta, timedelta(seconds=90)), (90, timedelta, timedelta(seconds=90)),
        ("00000000-0000-0000-0000-000000000001", UUID, UUID(int=1)), ("SMALL", Size, Size.SMALL),
        ("l", Size, Size.LARGE), ("1", Size, Size.SMALL), (1, Size, Size.SMALL),
        ("a/b", Path, Path("a/b")), ("x", bytes, b"x"), ("1,2", list[int], [1, 2]),
        ("[1, 2]", list[int], [1, 2]), (["1"], list[int], [1]), ("", list[int], []),
        ("a,b", set[str], {"a", "b"}), ("1,x", tuple[int, str], (1, "x")),
        ("1,2", tuple[int, ...], (1, 2)), ("1,2", Sequence[int], [1, 2]),
        ("a", Iterable[str], ["a"]), ('{"a": "1"}', dict[str, int], {"a": 1}),
        ({"a": 1}, Mapping[str, int], {"a": 1}), ("null", int | None, None),
        ("5", Optional[int], 5),  # noqa: UP045  as older code says it
        ("x", int | str, "x"), ("5", int | str, 5),
        ("5", Union[str, int], 5),  # noqa: UP007
        (None, int | None, None), ("a", Literal["a", "b"], "a"), ("1", Literal[1, 2], 1),
        ("5", Annotated[int, "x"], 5), ("5", Any, "5"), ("x", object, "x"), (5, int, 5),
        ("1+2j", complex, 1 + 2j), ([1], list, [1]),
    ],
)  # fmt: skip
def test_values_become_what_the_annotation_says(value: Any, hint: Any, wanted: Any) -> None:
    got = convert(value, hint)

    assert got == wanted
    assert type(got) is type(wanted)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("x", int), ("5.5", int), (5.5, int), (True, int), ("maybe", bool), ("x", Decimal),
        ("2030-13-01", date), ("x", UUID), ("HUGE", Size), ("1,x", list[int]), (5, list[int]),
        ("1", tuple[int, int]), ("[1", list[int]), ("x", dict[str, int]), ("[]", dict[str, int]),
        ("x", int | None), ("c", Literal["a", "b"]), (5, str), (["a"], str), ("x", None),
        ("x", timedelta), ([1], int), ("x", float),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_annotation_is_refused(value: Any, hint: Any) -> None:
    with pytest.raises(Unfit):
        convert(value, hint)


def call(function: Any, *args: Any, **kwargs: Any) -> Call:
    made = MemoryHuey().task(context="task" in function.__annotations__)(function)
    return fit_call(Call(list(args), kwargs), made, convert=True, check=True)


def test_defaults_stars_and_keywords_are_bound() -> None:
    def task(a: int, *rest: float, k: bool = False, **more: int) -> None: ...

    assert call(task, "1", "2", "3", k="yes", z="4") == Call([1, 2.0, 3.0], {"k": True, "z": 4})


def test_an_annotation_that_cannot_be_read_is_no_reason_to_refuse() -> None:
    def task(a: Nowhere, b: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert call(task, "1", "2").args[0] == "1"


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "missing a required argument: 'number'"),
        (("1", "2", "3"), {}, "too many positional arguments"),
        (("1",), {"nmae": "x"}, "unexpected keyword argument 'nmae'"),
        (("x",), {}, "parameter 'number': 'x' is not a valid int"),
    ],
)
def test_a_mismatch_names_the_parameter(
    args: tuple[str, ...], kwargs: dict[str, str], said: str
) -> None:
    def task(number: int, name: str = "") -> None: ...

    with pytest.raises(CliError) as caught:
        call(task, *args, **kwargs)

    assert caught.value.code == 2
    assert said in caught.value.message
    if kwargs:
        assert caught.value.hint == "did you mean name=?"


def test_without_the_check_a_mismatch_goes_through() -> None:
    def task(number: int) -> None: ...

    got = fit_call(Call(["1", "2"], {}), MemoryHuey().task()(task), convert=True, check=False)
    assert got == Call(["1", "2"], {})


def test_what_the_worker_fills_in_is_not_asked_for() -> None:
    def task(a: int, task: Any) -> None: ...

    assert call(task, "1") == Call([1], {})


def test_a_decorator_that_takes_everything_refuses_nothing_and_the_types_are_those_inside() -> None:
    def task(number: int) -> None: ...

    @functools.wraps(task)
    def inner(*args: Any, **kwargs: Any) -> None: ...

    assert call(inner, "1") == Call([1], {})
    assert call(inner, "1", extra="2") == Call(["1"], {"extra": "2"})
