"""Tests of others that fail with our backend, each with its reason; all others pass. Whoever makes
one pass takes it out."""

_NO_RESULTS = "states that the immediate backend keeps no results: ours does"
_DEFER = "states that the immediate backend cannot defer: ours can"
_WRITES = "changes the record in the dummy's list and reads it back: ours is a row, which it cannot"

#: Of Django's ``tests/tasks``.
DJANGO = {
    "immediate": {
        "test_cannot_get_result": _NO_RESULTS,
        "test_cannot_refresh_result": _NO_RESULTS,
        "test_cannot_pass_run_after": _DEFER,
    },
    "dummy": {
        "test_refresh_result": _WRITES,
        "test_refresh_result_async": _WRITES,
    },
    "tasks": {},
}

_ORM = "asks its model for more than how many rows are in which state"
_COMMAND = "is about options of its command db_worker, in its words"
_ID = "wants ids of version 4, or of a function that is given: ours are of version 7"

#: Of django-tasks-db, but for the classes that are about its model, its locks and its commands.
DB = {
    "DatabaseBackendTestCase.test_custom_id_function": _ID,
    "DatabaseBackendTestCase.test_database_backend_app_missing": "there is no app to be missing: "
    "the queue has no model",
    "DatabaseBackendTestCase.test_enqueue_task": _ID,
    "DatabaseBackendTestCase.test_enqueue_task_async": _ID,
    "DatabaseBackendTestCase.test_index_scan_for_ready": _ORM,
    "DatabaseBackendTestCase.test_invalid_task_path": _ORM,
    "DatabaseBackendTestCase.test_missing_task_path": _ORM,
    "DatabaseBackendTestCase.test_postgres_id_function_expression": _ID,
    "DatabaseBackendTestCase.test_priority_range_check": _ORM,
    "DatabaseBackendTestCase.test_refresh_result": _ORM,
    "DatabaseBackendTestCase.test_refresh_result_async": _ORM,
    "DatabaseBackendTestCase.test_run_after_null_0016_migration": _ORM,
    "DatabaseBackendTestCase.test_run_after_tz": _ORM,
    "DatabaseBackendTestCase.test_task_name": _ORM,
    "DatabaseBackendTestCase.test_unknown_id_function": _ID,
    "DatabaseBackendWorkerTestCase.test_complex_return_value": "wants json's words where the "
    "framework's own normalize_json has others",
    "DatabaseBackendWorkerTestCase.test_doesnt_process_different_backend": "its worker is one "
    "backend's: ours is a queue's",
    "DatabaseBackendWorkerTestCase.test_empty_worker_id": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_fractional_interval": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_incorrect_backend": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_infinite_interval": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_invalid_task_path": _ORM,
    "DatabaseBackendWorkerTestCase.test_max_tasks": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_missing_task_path": _ORM,
    "DatabaseBackendWorkerTestCase.test_negative_interval": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_negative_max_tasks": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_run_after": _ORM,
    "DatabaseBackendWorkerTestCase.test_run_after_priority": _ORM,
    "DatabaseBackendWorkerTestCase.test_task_import_string": _ORM,
    "DatabaseBackendWorkerTestCase.test_too_long_worker_id": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_unknown_backend": _COMMAND,
    "DatabaseBackendWorkerTestCase.test_verbose_logging": _COMMAND,
}
