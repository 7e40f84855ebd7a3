"""The opcodes of a pickle as plain parts: nothing is imported, called or hashed.

An unpickler does what the opcodes say, and a few hundred bytes can say: hash a tuple that has 2**60
parts, compare keys that all have one hash, nest until the stack of C overflows, make room for 2**31
memos. This reader only notes it; each opcode takes the time of its own bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from hueycore.exceptions import SerializationError
from hueyctl.answers.budget import NODES

Name = tuple[str, str]

#: More than a value has that may be shown; a quarter of a second.
_OPCODES = 2 * NODES


class Pairs(list[Any]):
    """A dictionary: key, value, key, value …"""


class Elements(list[Any]):
    """A set."""


class FrozenElements(Elements):
    """A frozenset."""


class Call:
    """A call of what a pickle names, and the state that the object gets then."""

    __slots__ = ("args", "name", "state")

    def __init__(self, name: Name, args: tuple[Any, ...]) -> None:
        self.name, self.args, self.state = name, args, None


class _Named:
    __slots__ = ("name",)

    def __init__(self, name: Name) -> None:
        self.name = name


def read(data: bytes, allowed: frozenset[Name]) -> Any:
    """The parts of a pickle. Raises ``SerializationError`` for a name that is not ``allowed``, for
    opcodes that no plain value has, or too many; any other exception for what is not a pickle."""
    from pickletools import genops

    machine = _Machine(allowed)
    for opcode, argument, _ in islice(genops(data), _OPCODES):
        if opcode.name == "STOP":
            return machine.pop()
        if opcode.name in _VALUES:
            machine.stack.append(argument)
        elif opcode.name in _CONSTANTS:
            machine.stack.append(_CONSTANTS[opcode.name]())
        elif opcode.name not in _NOTHING:
            if opcode.name not in _STEPS:
                raise SerializationError(f"{opcode.name} is not decoded")
            _STEPS[opcode.name](machine, argument)
    raise SerializationError("the pickle has no end")


class _Machine:
    def __init__(self, allowed: frozenset[Name]) -> None:
        self.allowed = allowed
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def collect(self, kind: type[Any]) -> None:
        self.stack.append(kind(self.pop_mark()))

    def tuple_of(self, number: int) -> None:
        found = tuple(self.stack[-number:])
        if len(found) < number:
            raise SerializationError("the pickle takes more than there is")
        self.stack[-number:] = [found]

    def put(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def get(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def extend(self, kind: type[list[Any]], items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not kind:
            raise SerializationError("the pickle adds to what takes nothing")
        target.extend(items)

    def last(self, number: int) -> list[Any]:
        found = self.stack[-number:]
        del self.stack[-number:]
        return found

    def named(self, module: Any, name: Any) -> None:
        # Anything may stand where a name should: it is not to be hashed.
        if type(module) is not str or type(name) is not str or (module, name) not in self.allowed:
            raise SerializationError("it names what is not decoded outside of the application")
        self.stack.append(_Named((module, name)))

    def call(self, _: Any) -> None:
        named, args = self.last(2)
        if type(named) is not _Named or type(args) is not tuple:
            raise SerializationError("the pickle calls what is no name")
        self.stack.append(Call(named.name, args))

    def build(self, _: Any) -> None:
        state = self.pop()
        target = self.stack[-1]
        if type(target) is not Call or target.state is not None:
            raise SerializationError("the pickle changes what has no state")
        target.state = state


_NOTHING = frozenset(("PROTO", "FRAME"))
_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    )
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": Pairs,
    "EMPTY_SET": Elements,
}
_STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "MARK": _Machine.mark,
    "POP": lambda machine, _: machine.pop(),
    "POP_MARK": lambda machine, _: machine.pop_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "LIST": lambda machine, _: machine.collect(list),
    "TUPLE": lambda machine, _: machine.collect(tuple),
    "DICT": lambda machine, _: machine.collect(Pairs),
    "FROZENSET": lambda machine, _: machine.collect(FrozenElements),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.extend(list, machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(list, machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.extend(Pairs, machine.last(2)),
    "SETITEMS": lambda machine, _: machine.extend(Pairs, machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(Elements, machine.pop_mark()),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "GLOBAL": lambda machine, said: machine.named(*said.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.named(*machine.last(2)),
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
}
