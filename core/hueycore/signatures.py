"""Signed arguments and results. In a module of its own because OpenSSL takes megabytes: without
signatures it is not loaded."""

from __future__ import annotations

import hmac
import pickle
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any

from hueycore.exceptions import ConfigurationError, SerializationError
from hueycore.serializer import PICKLE, SIGNED, Serializer, format_name


class SignedSerializer(Serializer):
    """Signs what another serializer wrote (HMAC-SHA256), and decodes nothing that it did not sign.

    It does not encrypt, and it signs the bytes, not the job that they belong to: who can write the
    file cannot make up arguments or results, but can copy those of one job to another.

    :param secret: the secret of all who share the queue; several to change it: the first one signs,
        all of them verify.
    :param salt: keeps the signatures of two applications with one secret apart.
    :param serializer: what is signed; by default a pickle, to which the other options belong.

    Raises ``ConfigurationError`` without a secret or salt.
    """

    name = "signed"
    tag = PICKLE
    _LENGTH = 32

    def __init__(
        self,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        salt: str | bytes = "huey",
        compression: bool = False,
        compression_level: int = 6,
        use_zlib: bool = False,
        pickle_protocol: int = pickle.HIGHEST_PROTOCOL,
        *,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(compression, compression_level, use_zlib, pickle_protocol)
        secrets = [secret] if isinstance(secret, str | bytes) else list(secret or ())
        if not secrets or not all(secrets) or not salt:
            raise ConfigurationError("SignedSerializer needs a secret= and a salt=")
        if serializer is not None and compression:
            raise ConfigurationError("give compression= to the serializer that is inside")
        self._keys = [hmac.digest(_bytes(salt), _bytes(each), "sha256") for each in secrets]
        self._salted = [_bytes(salt) + _bytes(each) for each in secrets]
        self._inside = serializer

    def serialize(self, data: Any) -> bytes:
        inside = self._inside
        blob = super().serialize(data) if inside is None else inside.serialize(data)
        return bytes((SIGNED,)) + self._signature(self._keys[0], blob) + blob

    def deserialize(self, data: bytes) -> Any:
        """Raises ``SerializationError`` (a ``ValueError``) when the signature is not ours."""
        blob = self._verified(data)
        inside = self._inside
        return super().deserialize(blob) if inside is None else inside.deserialize(blob)

    def preview(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        inside = self._inside
        return super().preview(args, kwargs) if inside is None else inside.preview(args, kwargs)

    def without_signature(self, data: bytes) -> bytes:
        blob, _, signature = data.rpartition(b":")
        for salted in self._salted:
            made = hmac.digest(sha1(salted, usedforsecurity=False).digest(), blob, "sha1").hex()
            if hmac.compare_digest(signature, made.encode()):
                return blob
        raise SerializationError("the signature is not ours: another secret, or changed data")

    def _verified(self, data: bytes) -> bytes:
        if not data or data[0] != SIGNED:
            raise SerializationError(f"written as {format_name(data)}, which nobody signed")
        signature, blob = data[1 : 1 + self._LENGTH], data[1 + self._LENGTH :]
        for key in self._keys:
            if hmac.compare_digest(signature, self._signature(key, blob)):
                return blob
        raise SerializationError("the signature is not ours: another secret, or changed data")

    def _signature(self, key: bytes, blob: bytes) -> bytes:
        return hmac.digest(key, bytes((SIGNED,)) + blob, "sha256")


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
