"""What holds the house: imports go one way, the library needs nothing, ``--help`` is quick."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core" / "hueycore"

#: From the ground up: a module imports only from its own floor and those below.
FLOORS = (
    ("exceptions", "absent", "constants", "system"),
    ("calendar", "model", "signals", "serializer", "signatures", "unpickler"),
    ("storage",),
    ("canvas", "registry", "tasks", "utils"),
    ("runs",),
    ("api",),
    ("consumer", "consumer_options"),
    ("testing", "bin"),
)
#: Huey's API has it there; imported inside the method.
EXCEPTION = ("api", "consumer")

#: Command lines and pages, made of the parts of hueyctl: the library does not import them.
COMMANDS = ("contrib/djhuey/management", "contrib/djhuey/admin.py", "bin")
#: Optional integrations import their library inside their own file.
OPTIONAL = (
    *("contrib", "consumer/workers/greenlet", "storage/postgres", "storage/redis"),
    *COMMANDS,
)


def sources(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


MODULES = {
    ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for folder in (CORE, ROOT / "hueyctl")
    for path in sources(folder)
}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports when it runs (not under TYPE_CHECKING)."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module or ""


def floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_imports_go_one_way() -> None:
    for path in sources(CORE):
        room = path.relative_to(CORE).parts[0].removesuffix(".py")
        if room in ("__init__", "contrib"):
            continue
        for module in imports(path):
            if not module.startswith("hueycore."):
                continue
            other = module.split(".")[1]
            if (room, other) != EXCEPTION:
                assert floor(other) <= floor(room), f"{path.relative_to(ROOT)} imports {module}"


def test_every_room_has_its_floor() -> None:
    for path in CORE.iterdir():
        name = path.name.removesuffix(".py")
        if name not in ("__init__", "__pycache__", "contrib") and not name.startswith("py.typed"):
            assert floor(name) >= 0


def test_no_modules_import_each_other_in_a_circle() -> None:
    below = {
        name: {module for module in imports(path) if module in MODULES and module != name}
        for name, path in MODULES.items()
    }
    try:
        TopologicalSorter(below).prepare()
    except CycleError as circle:
        raise AssertionError(" -> ".join(circle.args[1])) from None


def test_no_name_of_a_file_is_a_verb() -> None:
    for name in MODULES:
        last = name.rpartition(".")[2]
        # A state of a job, and Huey's own name.
        assert not last.endswith("ing") or last in ("pending", "testing"), name


def test_no_test_imports_another() -> None:
    """What two of them share is in a helper, whose tests do not run with those of another."""
    for path in sources(ROOT / "tests"):
        for module in imports(path):
            assert not module.rpartition(".")[2].startswith("test_"), f"{path}: {module}"


def test_answers_know_no_terminal() -> None:
    for path in sources(ROOT / "hueyctl" / "answers"):
        tops = {module.split(".")[0] for module in imports(path)}
        assert not tops & {"click", "rich", "tabulate"}, path


def test_the_rules_of_the_queue_name_no_driver() -> None:
    for path in sources(CORE / "storage" / "sql"):
        for module in imports(path):
            assert module.split(".")[0] not in ("sqlite3", "psycopg"), path
            assert not module.startswith("hueycore.storage.sqlite"), path


def test_an_engine_is_named_where_it_is_opened_and_nowhere_else() -> None:
    for name, path in MODULES.items():
        if not name.startswith("hueycore.storage"):
            assert "SqliteStorage" not in path.read_text("utf-8"), name
            assert not any(m.startswith("hueycore.storage.sqlite") for m in imports(path)), name


def test_the_storage_suite_is_for_every_engine_and_names_none() -> None:
    """Beside the list of engines; what is about one of them has a folder of its own."""
    folder = ROOT / "tests" / "storage"
    suite = [*folder.glob("*.py"), *sources(folder / "conformance")]
    of_an_engine = ("sqlite", "postgres", "redis", "huey_", ".db.", "con.execute", "storage.sql")
    for path in suite:
        if path.name != "engines.py":
            text = path.read_text("utf-8").lower()
            found = [word for word in of_an_engine if word in text]
            assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_hueycore_imports_only_the_standard_library() -> None:
    for path in sources(CORE):
        if path.relative_to(CORE).as_posix().startswith(OPTIONAL):
            continue
        for module in imports(path):
            top = module.split(".")[0]
            assert top == "hueycore" or top in sys.stdlib_module_names, f"{path}: {module}"


def test_hueycore_never_imports_hueyctl() -> None:
    for path in sources(CORE):
        if path.relative_to(CORE).as_posix().startswith(COMMANDS):
            continue
        assert not any(module.split(".")[0] == "hueyctl" for module in imports(path)), path


def test_storage_knows_bytes_and_columns_never_tasks_or_serializers() -> None:
    for path in sources(CORE / "storage"):
        above = {
            f"hueycore.{room}"
            for room in ("tasks", "serializer", "signatures", "registry", "canvas")
        }
        assert not any(module.startswith(tuple(above)) for module in imports(path)), path


def loaded_by(*arguments: str) -> set[str]:
    """The modules in memory after a run of the command line."""
    code = (
        "import sys\n"
        "from hueyctl.__main__ import main\n"
        f"sys.argv = ['hueyctl', *{list(arguments)!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


def test_help_loads_no_command_and_no_heavy_library() -> None:
    loaded = loaded_by("--help")

    assert not {"rich", "tabulate", "sqlite3", "asyncio"} & loaded
    commands = {name for name in loaded if name.startswith("hueyctl.commands.")}
    assert not commands


def test_who_only_enqueues_loads_no_heavy_module(tmp_path: Path) -> None:
    program = f"""
import sys
from hueycore import SqliteHuey

huey = SqliteHuey("app", {str(tmp_path / "queue.db")!r}, allow_paths=["__main__.*"])


@huey.task()
def add(a, b): ...


add(1, 2)
print("\\n".join(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not {"_hashlib", "asyncio", "concurrent.futures", "decimal", "socket", "uuid"} & loaded
    assert "hueycore.consumer" not in loaded


def test_files_stay_readable() -> None:
    """Around 300 lines; what outgrows it is two rooms."""
    for folder in (CORE, ROOT / "hueyctl"):
        for path in sources(folder):
            lines = len(path.read_text("utf-8").splitlines())
            assert lines <= 420, f"{path.relative_to(ROOT)} has {lines} lines: make it two rooms"
