"""Serializers at work: what the queue stores, what a worker refuses, and changing one's mind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hueycore import (
    ConfigurationError,
    Huey,
    JSONSerializer,
    PayloadTooLarge,
    SerializationError,
    Serializer,
    SignedSerializer,
    State,
)
from tests.helpers import consuming, drain, job, wait_until
from tests.storage.engines import lab_of

Opened = Callable[..., Huey]


@pytest.fixture
def opened(path: str) -> Iterator[Opened]:
    """Applications of one queue file, each with a task ``double``."""
    made: list[Huey] = []

    def make(**options: Any) -> Huey:
        huey = Huey("app", url=path, **options)
        made.append(huey)

        @huey.task(name="double")
        def double(value: Any) -> Any:
            return value * 2

        return huey

    yield make
    for huey in made:
        huey.close()


def double(huey: Huey, value: Any) -> Any:
    return huey.call(f"{__name__}.double", value)


def change(huey: Huey, seq: int, alter: Callable[[bytes], bytes]) -> None:
    """Somebody writes into the file."""
    payload = huey.storage.payload(seq)
    assert payload is not None
    lab_of(huey.storage).set_payload(seq, alter(payload))


def flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


@pytest.mark.feature("serializers")
def test_compression_can_be_switched_while_jobs_wait(opened: Opened) -> None:
    plain, packed = opened(), opened(compression=True)
    zipped = opened(compression=True, use_zlib=True)
    text = "products " * 1000
    handles = [double(huey, text) for huey in (plain, packed, zipped)]
    stored = [len(plain.storage.payload(handle.seq) or b"") for handle in handles]

    assert stored[0] > 9000 and max(stored[1:]) < 200
    for runner, reader in ((packed, plain), (plain, zipped), (zipped, plain)):
        task = runner.dequeue()
        assert task is not None
        runner.execute(task)
        assert reader.result(task.id) == text * 2


def test_the_limit_of_a_payload_is_about_what_is_stored(opened: Opened) -> None:
    text = "x" * 100_000

    with pytest.raises(PayloadTooLarge):
        double(opened(max_payload=50_000), text)
    assert double(opened(max_payload=50_000, compression=True), text) is not None


def test_a_serializer_of_ones_own_has_its_own_compression(path: str) -> None:
    with pytest.raises(ConfigurationError, match="to the serializer"):
        Huey("app", url=path, serializer=JSONSerializer(), compression=True)
    queue = Huey("app", url=path, serializer=JSONSerializer(compression=True))
    queue.put("key", [1])

    assert queue.get("key") == [1]
    queue.close()


@pytest.mark.feature("SignedSerializer")
@pytest.mark.parametrize(
    "alter",
    [flip_last, lambda data: data[:-1], lambda data: b"\x7e" + data[1:], lambda data: b"",
     lambda data: Serializer().serialize(((21,), {}))],
    ids=["flipped", "cut", "unknown version", "empty", "unsigned"],
)  # fmt: skip
def test_a_tampered_job_is_dead_and_the_others_go_on(
    opened: Opened, alter: Callable[[bytes], bytes]
) -> None:
    huey = opened(serializer=SignedSerializer(secret="my-secret-key"))
    before, tampered, after = (double(huey, number) for number in (1, 2, 3))
    change(huey, tampered.seq, alter)

    with consuming(huey):
        wait_until(lambda: job(huey, after).state is State.DONE)
        row = wait_until(lambda: (found := job(huey, tampered)).state is State.DEAD and found)

    assert (row.state, row.reason, row.attempt) == (State.DEAD, "unreadable", 1)
    assert row.errors[-1]["type"] == "SerializationError"
    assert (before.get(), after.get()) == (2, 6)


@pytest.mark.feature("SignedSerializer")
def test_a_tampered_result_or_value_is_a_value_error_for_who_reads_it(opened: Opened) -> None:
    huey = opened(serializer=SignedSerializer(secret="my-secret-key"))
    handle = double(huey, 21)
    huey.put("key", "value")
    drain(huey)
    for table, column in (("huey_result", "result"), ("huey_value", "value")):

        def tamper(con: Any, table: str = table, column: str = column) -> None:
            ((value,),) = con.execute(f"select {column} from {table}").fetchall()
            con.execute(f"update {table} set {column} = ?", (value + b"\0",))

        huey.storage.db.transact(tamper)  # type: ignore[attr-defined]

    with pytest.raises(ValueError, match="signature"):
        handle.get(preserve=True)
    with pytest.raises(SerializationError):
        huey.get("key")


def test_a_secret_is_changed_without_losing_a_job(opened: Opened) -> None:
    old = opened(serializer=SignedSerializer("old"))
    new = opened(serializer=SignedSerializer(["new", "old"]))
    handle = double(old, 4)
    drain(new)

    assert new.result(handle.id, preserve=True) == 8
    with pytest.raises(SerializationError):
        old.result(handle.id)


@pytest.mark.feature("serializers")
def test_an_encrypted_job_shows_nothing_of_its_arguments_anywhere(path: str) -> None:
    class Encrypted(Serializer):
        """Huey's recipe: only the two methods, whatever the cipher."""

        def _serialize(self, data: Any) -> bytes:
            return bytes(byte ^ 0x5A for byte in super()._serialize(data))

        def _deserialize(self, data: bytes) -> Any:
            return super()._deserialize(bytes(byte ^ 0x5A for byte in data))

    huey = Huey("app", url=path, serializer=Encrypted())

    @huey.task(context=True)
    def greet(name: str, task: Any = None) -> Any:
        return lambda: name

    handle = greet("a secret name")
    assert (job(huey, handle).preview, huey.pending()[0].args) == (None, ("a secret name",))
    drain(huey)

    row = job(huey, handle)
    assert (row.state, row.errors[-1]["type"]) == (State.DEAD, "SerializationError")
    assert b"a secret name" not in lab_of(huey.storage).raw()
    huey.close()
