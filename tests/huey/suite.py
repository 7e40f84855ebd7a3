"""Runs the tests that the package huey brings along, with hueycore in its place, and prints as JSON
how many there are and which of them fail.

Only in a process of its own: from then on `import huey` is hueycore there.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import logging
import sys
import types
import unittest
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

#: The modules that use the API; the others import Huey's internals or need a server.
MODULES = (
    "test_api",
    "test_crontab",
    "test_priority",
    "test_signals",
    "test_serializer",
    "test_asyncio",
)


class Alias(MetaPathFinder, Loader):
    """`huey` and what is in it are `hueycore`, but for Huey's tests."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        inner = name.removeprefix("huey")
        if inner == name or inner[:1] not in ("", ".") or name.startswith("huey.tests"):
            return None
        module = importlib.import_module(f"hueycore{inner}")
        return ModuleSpec(name, self, is_package=hasattr(module, "__path__"))

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(f"hueycore{spec.name.removeprefix('huey')}")
        self._spec = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def main() -> None:
    home = importlib.util.find_spec("huey.tests")
    assert home is not None and home.submodule_search_locations is not None
    for name in [name for name in sys.modules if name.partition(".")[0] == "huey"]:
        del sys.modules[name]
    tests = types.ModuleType("huey.tests")
    tests.__path__ = list(home.submodule_search_locations)
    sys.modules["huey.tests"] = tests
    sys.meta_path.insert(0, Alias())
    logging.disable()  # what fails on purpose is not to be read
    suite = unittest.TestSuite()
    for name in MODULES:
        module = importlib.import_module(f"huey.tests.{name}")
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    logging.disable(logging.NOTSET)
    logging.getLogger("hueycore").addHandler(logging.NullHandler())
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    failed = {
        test.id().removeprefix("huey.tests."): trace.strip().splitlines()[-1]
        for test, trace in [*result.failures, *result.errors]
    }
    print(json.dumps({"run": result.testsRun - len(result.skipped), "failed": failed}))


if __name__ == "__main__":
    main()
