"""Write tests/huey/documentation.txt: what the Python blocks of Huey's documentation use of Huey.

pip download --no-deps --no-binary :all: huey==3.5.4
python tests/tools/documentation.py huey-3.5.4.tar.gz

A line is a block: its document, the line where it begins, and each name once. `huey.crontab` is
imported, `Huey.immediate` is an attribute of an instance, `Huey.get(_,peek)` is a call with a value
by position and one by keyword. What a name is is told by the block, those before it, and the words
of the documentation.
"""

from __future__ import annotations

import ast
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from textwrap import dedent

DATA = Path(__file__).resolve().parent.parent / "huey" / "documentation.txt"

_BLOCK = re.compile(r"^( *)\.\. code-block:: (?:python|pycon)\n((?:\1 +.*\n| *\n)*)", re.M)

#: Names that a block uses and does not import.
_HOMES = {
    **dict.fromkeys(("RedisHuey", "SqliteHuey", "CancelExecution", "RetryTask"), "huey"),
    **dict.fromkeys(("Error", "SKIPPED", "chord", "crontab", "group"), "huey"),
    **dict.fromkeys(("ResultTimeout", "TaskException"), "huey.exceptions"),
    **dict.fromkeys(("aget_result", "aget_result_group"), "huey.contrib.asyncio"),
    "on_commit_task": "huey.contrib.djhuey",
    "enable_stats": "huey.contrib.stats",
}
#: What the documentation calls things that it does not make.
_WORDS = {
    **dict.fromkeys(("huey", "emails", "reports"), "Huey"),
    **dict.fromkeys(("r", "res", "ret", "rh", "result", "result_handle"), "Result"),
    "mini_huey": "MiniHuey",
    "result_group": "ResultGroup",
    "task": "Task",
}
#: Methods by which an unknown name is seen to be a task.
_OF_TASKS = {"s", "schedule", "map", "call_local", "revoke", "restore", "is_revoked"}

_DECORATORS = {
    *("Huey.task", "Huey.periodic_task", "Huey.context_task"),
    *("huey.contrib.djhuey.task", "huey.contrib.djhuey.periodic_task"),
    *("huey.contrib.djhuey.db_task", "huey.contrib.djhuey.db_periodic_task"),
    "huey.contrib.djhuey.on_commit_task",
}
_HANDLES = {
    "ChordResult.results": "ResultGroup",
    "ChordResult.pipeline_results": "ResultGroup",
    "ChordResult.callback": "Result",
}
#: What a call gives, or an attribute.
_GIVES = {
    **dict.fromkeys(_DECORATORS, "decorator"),
    "TaskWrapper.__call__": "Result",
    "TaskWrapper.schedule": "Result",
    "TaskWrapper.map": "ResultGroup",
    "TaskWrapper.s": "Task",
    "Task.then": "Pipeline",
    "Task.error": "Task",
    "Pipeline.then": "Pipeline",
    "Pipeline.error": "Pipeline",
    "huey.group": "group",
    "group.error": "group",
    "group.then": "chord",
    "huey.chord": "chord",
    "chord.error": "chord",
    "chord.then": "chord",
    "ResultGroup.as_completed": "ResultGroup",
    **_HANDLES,
    "Huey.create_consumer": "Consumer",
    "Huey.lock_task": "TaskLock",
    "Huey.pending": "tasks",
    "Huey.scheduled": "tasks",
    "huey.contrib.djhuey.HUEY": "Huey",
    "huey.contrib.mini.MiniHuey": "MiniHuey",
    "huey.contrib.stats.enable_stats": "HueyStats",
}
#: Keywords of these are the function's own.
_PASSED_ON = {"Task.error", "Task.then", "Pipeline.error", "Pipeline.then", "TaskWrapper.s"}
_ENQUEUED = {"Pipeline": "ResultGroup", "group": "ResultGroup", "chord": "ChordResult"}
_MEMBERS = {"ResultGroup": "Result", "tasks": "Task"}
_OBJECTS = {*_GIVES.values(), *_WORDS.values(), "TaskWrapper", "ChordResult", "TaskException"}
_OBJECTS -= {"decorator", "tasks"}
#: They hold in the blocks that follow; a result or a pipeline does not.
_LASTING = ("Huey", "MiniHuey", "TaskWrapper", "HueyStats")


class Document(ast.NodeVisitor):
    """Follows the blocks of one document in their order."""

    def __init__(self) -> None:
        #: What a name is: None when it is nothing of Huey's.
        self.names: dict[str, str | None] = {}
        #: The parameters of a function.
        self.parameters: dict[str, set[str]] = {}
        self.uses: dict[str, None] = {}

    def block(self, source: str) -> list[str]:
        """What it uses. Raises SyntaxError for one that is no Python."""
        for name, kind in list(self.names.items()):
            if kind is None or not kind.startswith(("huey.", *_LASTING)):
                del self.names[name]
        self.uses = {}
        self.visit(_parse(source))
        return list(self.uses)

    def use(self, name: str) -> None:
        self.uses[name] = None

    # --- statements ---------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] == "huey":
                self.use(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or alias.name
            if (node.module or "").split(".")[0] == "huey":
                path = f"{node.module}.{alias.name}"
                self.use(path)
                self.names[name] = _GIVES[path] if path.endswith(".HUEY") else path
            elif node.module and node.module.startswith("django."):
                self.names[name] = None

    def visit_Assign(self, node: ast.Assign) -> None:
        kind = self.kind(node.value)
        target = node.targets[0]
        if not isinstance(target, ast.Name):
            self.visit(target)
            return
        unknown = isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        if kind is None and unknown and target.id in _WORDS:
            self.names.pop(target.id, None)  # a call of a task that is declared nowhere
        else:
            self.names[target.id] = kind
        if target.id.isupper():
            self._setting(target.id, node.value)

    def visit_For(self, node: ast.For) -> None:
        kind = self.kind(node.iter)
        if isinstance(node.target, ast.Name):
            self.names[node.target.id] = _MEMBERS.get(kind or "")
        for statement in node.body:
            self.visit(statement)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        kind = self.kind(node.type) if node.type else None
        if node.name:
            self.names[node.name] = kind and kind.rpartition(".")[2]
        for statement in node.body:
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        kinds = [self.kind(decorator) for decorator in node.decorator_list]
        self.parameters[node.name] = {argument.arg for argument in node.args.args}
        for name in self.parameters[node.name]:
            self.names[name] = "Task" if name == "task" else None
        if "decorator" in kinds:
            self.names[node.name] = "TaskWrapper"
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in map(self.kind, node.bases):
            if base and base.endswith("Huey"):
                self.names[node.name] = base
                for method in node.body:
                    if isinstance(method, ast.FunctionDef):
                        self.use(f"Huey.{method.name}")
        for statement in node.body:
            self.visit(statement)

    def _setting(self, name: str, value: ast.expr) -> None:
        """A setting of Django: its keys, and the paths in it."""
        for inner in ast.walk(value):
            if isinstance(inner, ast.Constant) and re.fullmatch(r"huey(\.\w+)+", str(inner.value)):
                self.use(str(inner.value))
        if name.startswith("HUEY") and isinstance(value, ast.Dict):
            keys = [str(ast.literal_eval(key)) for key in value.keys if key]
            self.use(f"settings.{name}({','.join(keys)})")
            for key, inner in zip(keys, value.values, strict=True):
                if key == "consumer":
                    self._setting(f"{name}.consumer", inner)

    # --- expressions --------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        self.kind(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.kind(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.kind(node)

    def kind(self, node: ast.expr) -> str | None:
        """What an expression is: an object of ``_OBJECTS``, a path in the package, or None."""
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Attribute):
            path = self._attribute(node)
            if path:
                self.use(path)
            return _GIVES.get(path or "")
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Subscript):
            return _MEMBERS.get(self.kind(node.value) or "")
        self.generic_visit(node)
        return None

    def _named(self, name: str) -> str | None:
        if name in self.names:
            return self.names[name]
        home = "huey.signals" if name.startswith("SIGNAL_") else _HOMES.get(name)
        if home:
            self.use(f"{home}.{name}")
            return f"{home}.{name}"
        return _WORDS.get(name)

    def _attribute(self, node: ast.Attribute) -> str | None:
        owner = self.kind(node.value)
        unknown = isinstance(node.value, ast.Name) and node.value.id not in self.names
        if owner is None and unknown and node.attr in _OF_TASKS:
            owner = "TaskWrapper"
        if owner in _OBJECTS or (owner and owner.startswith("huey.")):
            return f"{owner}.{node.attr}"
        return None

    def _call(self, node: ast.Call) -> str | None:
        of = node.func
        called = self._attribute(of) if isinstance(of, ast.Attribute) else self.kind(of)
        if called in _HANDLES:
            called = self.kind(of)
        arguments = [self.kind(argument) for argument in node.args]
        for keyword in node.keywords:
            self.kind(keyword.value)
        if called == "decorator":
            return "TaskWrapper"
        if called is None:
            return None
        if called in _OBJECTS and called != "TaskException":
            called = f"{called}.__call__"
        own = self.parameters.get(of.id, set()) if isinstance(of, ast.Name) else set()
        words = [word.arg for word in node.keywords if word.arg and word.arg not in own]
        placed = ["_" for argument in node.args if not isinstance(argument, ast.Starred)]
        self.use(f"{called}({','.join(placed + ([] if called in _PASSED_ON else words))})")
        if called == "Huey.enqueue":
            return _ENQUEUED.get(arguments[0] or "", "Result")
        if called.startswith("huey.") and called not in _GIVES and called.endswith("Huey"):
            return "Huey"
        return _GIVES.get(called)


def _parse(source: str) -> ast.Module:
    """A block; one that leaves a body or parameters out gets them."""
    if ">>>" in source:
        source = "".join(
            line[4:] for line in source.splitlines(True) if line[:4] in (">>> ", "... ")
        )
    try:
        return ast.parse(source)
    except SyntaxError:
        whole = re.sub(r"^(def .*)\.\.\.\)", r"\1*others)", source, flags=re.M)
        return ast.parse(f"{whole.rstrip()}\n    ...\n")


def _lines(name: str, text: str) -> Iterator[str]:
    document = Document()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield " ".join([name, str(line), *document.block(dedent(found[2]))])


def read(archive: str) -> Iterator[str]:
    """The lines of the file, from Huey's source distribution."""
    with tarfile.open(archive) as files:
        for member in sorted(files, key=lambda member: member.name):
            path = PurePath(member.name)
            content = files.extractfile(member)
            if path.match("*/docs/*.rst") and content is not None:
                yield from _lines(path.name, content.read().decode())


if __name__ == "__main__":
    DATA.write_text("".join(f"{line}\n" for line in read(sys.argv[1])), "utf-8")
