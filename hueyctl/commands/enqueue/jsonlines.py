"""``enqueue --from``: jobs from JSON lines, many per transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from hueycore.exceptions import DuplicateJob, PayloadTooLarge, SerializationError
from hueyctl import errors, exits, streams, units
from hueyctl.jsonline import BadLine, object_of
from hueyctl.producers.arguments import Call
from hueyctl.producers.base import Order, Producer, Queued

if TYPE_CHECKING:
    from hueyctl.context import Session

_KEYS = (
    "task",
    "args",
    "kwargs",
    "delay",
    "eta",
    "expires",
    "priority",
    "retries",
    "retry_delay",
    "id",
    "unique",
)


def feed(
    session: Session, producer: Producer, source: IO[str], defaults: Order, given: dict[str, Any]
) -> int:
    """Queue the lines of ``source``. A bad line is reported with its number, the rest goes on."""
    feeder = _Feeder(session, producer, given)
    for number, line in enumerate(_lines(source), 1):
        if line.strip():
            feeder.add(number, line, defaults)
    feeder.flush()
    feeder.finish()
    return exits.FAILURE if feeder.bad else exits.OK


def _lines(source: IO[str]) -> Iterator[str]:
    try:
        for first in source:
            yield first.removeprefix(streams.BOM)
            break
        yield from source
    except UnicodeDecodeError as error:
        raise errors.CliError(f"--from: not UTF-8: {error}", exits.FAILURE) from None


class _Feeder:
    def __init__(self, session: Session, producer: Producer, given: dict[str, Any]) -> None:
        self.session, self.producer = session, producer
        self.batch: list[tuple[int, Any]] = []
        self.size: int | None = given["batch"]
        self.utc: bool = given["utc"]
        self.dry_run: bool = given["dry_run"]
        self.objects: list[dict[str, Any]] = []
        self.good = self.bad = 0

    def add(self, number: int, line: str, defaults: Order) -> None:
        try:
            prepared = self.producer.prepare(_order(line, defaults, self.utc))
        except Exception as error:
            self._refuse(number, error)
            return
        if self.dry_run:
            self._describe(prepared)
            return
        self.batch.append((number, prepared))
        if len(self.batch) >= (self.size or self.producer.storage.chunk):
            self.flush()

    def flush(self) -> None:
        """Commit what has come together; when one job is refused, each is tried for itself."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        try:
            self._print(self.producer.commit([prepared for _, prepared in batch]))
        except (PayloadTooLarge, SerializationError, DuplicateJob) as error:
            for number, prepared in batch:
                try:
                    self._print(self.producer.commit([prepared]))
                except type(error) as refusal:
                    self._refuse(number, refusal)
        except Exception:
            self.finish()
            raise

    def finish(self) -> None:
        """Print the JSON array, and how many."""
        if self.session.output.format == "json":
            self.session.output.objects(self.objects)
            self.objects = []
        verb = "would queue" if self.dry_run else "queued"
        more = f", {units.counted(self.bad, 'bad line')}" if self.bad else ""
        self.session.notice(f"{verb} {units.counted(self.good, 'job')}{more}")

    def _print(self, queued: list[Queued]) -> None:
        self.good += len(queued)
        output = self.session.output
        if output.folds(self.good):
            return
        if not output.is_json:
            output.write("".join(f"{each.id}\n" for each in queued))
            return
        from hueyctl.answers.jobs import read_object

        storage = self.session.looking()
        for each in queued:
            job = storage.job(each.id)
            if job is not None:
                self._object(read_object(storage, job, time.time()))

    def _describe(self, prepared: Any) -> None:
        self.good += 1
        if self.session.output.is_json:
            self._object(self.producer.describe(prepared))

    def _object(self, value: dict[str, Any]) -> None:
        if self.session.output.format == "jsonl":
            self.session.output.document(value)
        else:
            self.objects.append(value)

    def _refuse(self, number: int, error: Exception) -> None:
        problem = errors.explain(error)
        if problem.bug and not isinstance(error, BadLine):
            raise error
        self.bad += 1
        message = str(error)
        if not isinstance(error, BadLine):
            message = problem.message + (f" ({problem.hint})" if problem.hint else "")
        streams.say(f"hueyctl: line {number}: {streams.visible(message)}")


def _order(line: str, defaults: Order, utc: bool) -> Order:
    found = object_of(line)
    unknown = sorted(set(found) - set(_KEYS))
    if unknown:
        raise BadLine(f"unknown key {unknown[0]!r} (keys are {', '.join(_KEYS)})")
    task = found.get("task", defaults.task)
    if not isinstance(task, str) or not task:
        raise BadLine("it names no task")
    now = time.time()
    run_at, delay = _time(found, "eta", now, utc), None
    if run_at is None and (delay := _seconds(found, "delay")) is not None:
        run_at = now + delay
    if run_at is None:
        run_at, delay = defaults.run_at, defaults.delay
    expires_at, expires_in = _expiry(found, now, utc)
    if expires_at is expires_in is None:
        expires_at, expires_in = defaults.expires_at, defaults.expires_in
    return Order(
        task,
        Call(_typed(found, "args", list, []), _typed(found, "kwargs", dict, {})),
        _typed(found, "id", str, None),
        run_at,
        expires_at,
        _number(found, "priority", defaults.priority),
        _whole(found, "retries", defaults.retries),
        _seconds(found, "retry_delay", defaults.retry_delay),
        _typed(found, "unique", str, defaults.unique_key),
        defaults.on_conflict,
        delay,
        expires_in,
    )


def _typed(found: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    value = found.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        words = {"list": "an array", "dict": "an object", "str": "a string"}
        raise BadLine(f"{key!r} is not {words[kind.__name__]}")
    return value


def _number(found: dict[str, Any], key: str, default: float | None) -> float | None:
    value = found.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise BadLine(f"{key!r} is not a number")
    return value


def _whole(found: dict[str, Any], key: str, default: int | None) -> int | None:
    value = _number(found, key, default)
    if value is not None and (value < 0 or value != int(value)):
        raise BadLine(f"{key!r} is not a whole number")
    return None if value is None else int(value)


def _seconds(found: dict[str, Any], key: str, default: float | None = None) -> float | None:
    value = found.get(key)
    try:
        if isinstance(value, str):
            return units.parse_duration(value)
    except ValueError as error:
        raise BadLine(f"{key!r}: {error}") from None
    number = _number(found, key, default)
    if number is not None and number < 0:
        raise BadLine(f"{key!r} is negative")
    return number


def _expiry(found: dict[str, Any], now: float, utc: bool) -> tuple[float | None, float | None]:
    """A moment, or seconds from when the job could begin."""
    value = found.get("expires")
    ahead = units.parse_ahead(value) if isinstance(value, str) else _ahead(value)
    return (None, ahead) if ahead is not None else (_time(found, "expires", now, utc), None)


def _ahead(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and value >= 0 else None


def _time(found: dict[str, Any], key: str, now: float, utc: bool) -> float | None:
    value = found.get(key)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # As on the command line: a number is a duration from now.
        return now + value
    try:
        return units.parse_when(str(value), utc=utc, now=now)
    except ValueError as error:
        raise BadLine(f"{key!r}: {error}") from None
