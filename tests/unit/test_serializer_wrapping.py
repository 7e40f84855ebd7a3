"""What is compressed, signed or encrypted: read again by whoever may, refused by all others."""

from __future__ import annotations

import gzip
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hueycore import ConfigurationError, JSONSerializer, SerializationError, SignedSerializer
from hueycore.serializer import (
    CUSTOM,
    GZIP,
    JSON,
    NAMES,
    PICKLE,
    SIGNED,
    ZLIB,
    Serializer,
    by_name,
    format_name,
)
from hueyctl.answers.budget import SAFE_LIMIT
from hueyctl.answers.safe_pickle import safe_decode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
SECRET = "my-secret-key"


class Xor(Serializer):
    """The encryption of Huey's documentation in small: only these two methods are overridden."""

    def _serialize(self, data: Any) -> bytes:
        return bytes(byte ^ 0x5A for byte in super()._serialize(data))

    def _deserialize(self, data: bytes) -> Any:
        return super()._deserialize(bytes(byte ^ 0x5A for byte in data))


class Keyed(Xor):
    """Its constructor calls no other."""

    def __init__(self, key: str) -> None:
        self.key = key


class Shown(Xor):
    previews = True


class Whole(Serializer):
    """Overrides the outer pair."""

    def serialize(self, data: Any) -> bytes:
        return b"\x90" + super().serialize(data)[::-1]

    def deserialize(self, data: bytes) -> Any:
        return super().deserialize(data[:0:-1])


WRITERS: dict[str, Callable[..., Serializer]] = {
    "pickle": Serializer,
    "json": JSONSerializer,
    "custom": Xor,
    "signed pickle": lambda **options: SignedSerializer(SECRET, **options),
    "signed json": lambda **options: SignedSerializer(SECRET, serializer=JSONSerializer(**options)),
    "signed custom": lambda **options: SignedSerializer(SECRET, serializer=Xor(**options)),
}
SETTINGS = ({}, {"compression": True}, {"compression": True, "use_zlib": True})
every_writer = pytest.mark.parametrize("make", WRITERS.values(), ids=WRITERS.keys())


# --- compression ----------------------------------------------------------------------------------


@pytest.mark.feature("serializers")
@every_writer
@given(value=values)
def test_every_setting_reads_what_every_setting_wrote(
    make: Callable[..., Serializer], value: Any
) -> None:
    for written in SETTINGS:
        data = make(**written).serialize(value)
        for read in SETTINGS:
            assert make(**read).deserialize(data) == value


def test_gzip_is_the_default_and_zlib_can_be_asked_for() -> None:
    value = "x" * 10_000
    plain = Serializer().serialize(value)
    packed = Serializer(compression=True).serialize(value)
    zipped = Serializer(compression=True, use_zlib=True).serialize(value)

    assert (packed[0], gzip.decompress(packed[1:])) == (GZIP, plain)
    assert (zipped[0], zlib.decompress(zipped[1:])) == (ZLIB, plain)
    assert len(packed) < 100
    numbers = [number * number % 991 for number in range(5000)]
    quick, small = (
        Serializer(compression=True, compression_level=level).serialize(numbers) for level in (1, 9)
    )
    assert len(small) < len(quick)


def test_the_same_value_makes_the_same_bytes() -> None:
    assert len({Serializer(compression=True).serialize("value") for _ in range(3)}) == 1


@pytest.mark.parametrize("use_zlib", [False, True])
def test_no_part_of_compressed_data_is_taken_for_the_whole(use_zlib: bool) -> None:
    writer = Serializer(compression=True, use_zlib=use_zlib)
    data = writer.serialize([1, "two", {"three": 3.0}])

    for end in range(len(data)):
        with pytest.raises(SerializationError):
            writer.deserialize(data[:end])
        assert safe_decode(data[:end]) == (False, None)
    for more in (b"x", data, data[1:]):
        with pytest.raises(SerializationError, match="damaged"):
            writer.deserialize(data + more)


def test_a_few_kilobytes_do_not_become_gigabytes() -> None:
    bomb = bytes((GZIP,)) + gzip.compress(bytes((PICKLE,)) + b"\0" * 3_000_000)
    small = type("Small", (Serializer,), {"unpacked_limit": 2_000_000})(compression=True)

    with pytest.raises(SerializationError, match="more than 2,000,000 bytes"):
        small.deserialize(bomb)
    with pytest.raises(SerializationError, match="unpacked_limit=2,000,000"):
        small.serialize("x" * 2_000_001)
    assert small.deserialize(small.serialize("x" * 1_900_000)) == "x" * 1_900_000
    assert len(bomb) < 10_000
    assert safe_decode(bomb) == (False, None)


def test_a_compressed_envelope_holds_no_other() -> None:
    inner = Serializer(compression=True).serialize(1)
    outer = bytes((GZIP,)) + gzip.compress(inner)

    with pytest.raises(SerializationError, match="written as gzip/1, read as pickle/1"):
        Serializer().deserialize(outer)


def test_compressed_plain_data_is_decoded_outside_of_the_application() -> None:
    for settings in SETTINGS:
        assert safe_decode(Serializer(**settings).serialize([1, "a"])) == (True, [1, "a"])
        assert safe_decode(JSONSerializer(**settings).serialize({"a": 1})) == (True, {"a": 1})
        large = Serializer(**settings).serialize("x" * SAFE_LIMIT)
        assert safe_decode(large) == (False, None)
        assert safe_decode(Serializer(**settings).serialize(print)) == (False, None)


def test_the_queue_row_names_what_others_can_write() -> None:
    for settings in SETTINGS:
        for make in (Serializer, JSONSerializer):
            writer = make(**settings)
            other = by_name(writer.written_as)
            assert other is not None
            assert other.serialize("x") == writer.serialize("x")
        for make in (WRITERS["signed pickle"], WRITERS["signed json"], Xor):
            assert by_name(make(**settings).written_as) is None
    assert by_name(None) is not None  # a queue that nobody wrote to yet
    assert by_name("pickle+lzma") is None
    assert Serializer(compression=True).written_as == "pickle+gzip"
    assert WRITERS["signed pickle"]().written_as == "signed"


# --- signatures -----------------------------------------------------------------------------------


class Trap:
    """Pickles as a call that must never happen."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("decoded before it was verified",)


@pytest.mark.feature("SignedSerializer")
@every_writer
def test_every_flipped_bit_and_every_cut_is_refused(make: Callable[..., Serializer]) -> None:
    writer = make()
    if not isinstance(writer, SignedSerializer):
        writer = SignedSerializer(SECRET, serializer=writer)
    data = writer.serialize((["products"], {"n": 5}))

    for index in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[index] ^= 1 << bit
            with pytest.raises(ValueError):
                writer.deserialize(bytes(changed))
    for end in range(len(data)):
        with pytest.raises(SerializationError):
            writer.deserialize(data[:end])
    with pytest.raises(SerializationError):
        writer.deserialize(data + b"\0")


@given(st.binary(max_size=80))
def test_noise_is_refused_whatever_byte_it_begins_with(noise: bytes) -> None:
    for first in (*NAMES, 0x21, 0xFF):
        with pytest.raises(SerializationError):
            SignedSerializer(SECRET).deserialize(bytes((first,)) + noise)


def test_nothing_is_decoded_before_it_is_verified() -> None:
    evil = Serializer().serialize(Trap())
    signed_by_another = SignedSerializer("another").serialize(Trap())
    packed = SignedSerializer("another", compression=True).serialize(Trap())

    for data in (evil, signed_by_another, packed, bytes((SIGNED,)) + bytes(32) + evil):
        with pytest.raises(SerializationError):
            SignedSerializer(SECRET).deserialize(data)


def test_salt_and_secret_keep_applications_apart() -> None:
    data = SignedSerializer(SECRET).serialize(1)

    assert SignedSerializer(secret=SECRET.encode(), salt=b"huey").deserialize(data) == 1
    for stranger in (SignedSerializer(SECRET, salt="shop"), SignedSerializer("my-secret-ke")):
        with pytest.raises(SerializationError, match="another secret"):
            stranger.deserialize(data)
    with pytest.raises(SerializationError, match="which nobody signed"):
        SignedSerializer(SECRET).deserialize(Serializer().serialize(1))
    with pytest.raises(SerializationError, match="written as signed/1, read as pickle/1"):
        Serializer().deserialize(data)


def test_a_secret_is_changed_while_jobs_wait() -> None:
    old = SignedSerializer("old")
    both, turned = SignedSerializer(["old", "new"]), SignedSerializer(["new", "old"])
    new = SignedSerializer("new")

    assert both.deserialize(turned.serialize(1)) == turned.deserialize(both.serialize(1)) == 1
    assert old.deserialize(both.serialize(1)) == 1  # the first one signs
    assert new.deserialize(turned.serialize(1)) == 1
    with pytest.raises(SerializationError):
        new.deserialize(old.serialize(1))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"secret": ""}, {"secret": b""}, {"secret": []}, {"secret": ["new", ""]},
        {"secret": "s", "salt": ""},
        {"secret": "s", "serializer": JSONSerializer(), "compression": True},
    ],
)  # fmt: skip
def test_a_signature_without_a_secret_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SignedSerializer(**options)


def test_a_signed_subclass_may_have_bytes_of_its_own() -> None:
    class Reversed(SignedSerializer):
        def _serialize(self, data: Any) -> bytes:
            return super()._serialize(data)[::-1]

        def _deserialize(self, data: bytes) -> Any:
            return super()._deserialize(data[::-1])

    writer = Reversed(SECRET, compression=True)
    data = writer.serialize([1])

    assert writer.deserialize(data) == [1]
    assert (data[0], SignedSerializer(SECRET)._verified(data)[0]) == (SIGNED, GZIP)
    assert writer.preview((1,), {}) is None


def test_what_is_signed_is_not_decoded_outside_of_the_application() -> None:
    data = SignedSerializer(SECRET).serialize(1)

    assert safe_decode(data) == (False, None)
    assert format_name(data) == "signed/1"


# --- bytes of one's own ---------------------------------------------------------------------------


@pytest.mark.feature("serializers")
@pytest.mark.parametrize(
    "writer", [Xor(), Keyed("k"), Whole(), SignedSerializer("s", serializer=Xor())]
)
def test_who_may_encrypt_shows_nothing_to_people(writer: Serializer) -> None:
    assert writer.deserialize(writer.serialize(["secret"])) == ["secret"]
    assert writer.preview(("secret",), {"a": "secret"}) is None
    with pytest.raises(SerializationError) as caught:
        writer.serialize(["secret", lambda: 1])
    assert "secret" not in str(caught.value)
    assert "a list" in str(caught.value)


def test_a_subclass_may_say_that_it_hides_nothing() -> None:
    class FastJSON(Serializer):
        """Another writer of a known format."""

        tag, name = JSON, "json"

        def _serialize(self, data: Any) -> bytes:
            return JSONSerializer()._serialize(data)

        def _deserialize(self, data: bytes) -> Any:
            return JSONSerializer()._deserialize(data)

    assert Shown().preview((1,), {}) == "1"
    assert Shown().serialize(1)[0] == CUSTOM
    assert FastJSON().preview((1,), {}) == "1"
    assert JSONSerializer().deserialize(FastJSON().serialize([1])) == [1]
    assert SignedSerializer("s", serializer=JSONSerializer()).preview((1,), {}) == "1"


def test_options_of_huey_keep_their_names_and_places() -> None:
    by_place = Serializer(True, 9, True, pickle.HIGHEST_PROTOCOL)
    signed = SignedSerializer(secret="s", salt="t", compression=True, use_zlib=True)

    assert by_place.serialize(1)[0] == ZLIB
    assert signed._verified(signed.serialize(1))[0] == ZLIB
