"""Where a storage is: what a path, a URL or the words of libpq come to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hueycore import ConfigurationError, Huey, MemoryHuey, PostgresHuey, RedisHuey, SqliteHuey
from hueycore.storage.location import PostgresLocation, RedisLocation, SqliteLocation
from hueycore.storage.open import BadURL, locate, locate_dsn

pytestmark = pytest.mark.feature("instances")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("queue.db", SqliteLocation("queue.db")),
        ("queue.db?name=mail", SqliteLocation("queue.db", "mail")),
        ("sqlite:////var/a%20b.db?queue=mail", SqliteLocation("/var/a b.db", "mail")),
        (":memory:", SqliteLocation(":memory:")),
        ("postgresql://h/db", PostgresLocation("postgresql://h/db")),
        ("postgres://h/db", PostgresLocation("postgresql://h/db")),
        ("POSTGRES://h/db", PostgresLocation("postgresql://h/db")),
        (
            "postgresql://ann@h1:5433,h2/db?name=my%20mail&schema=jobs&sslmode=require",
            PostgresLocation("postgresql://ann@h1:5433,h2/db?sslmode=require", "my mail", "jobs"),
        ),
        (
            "postgresql:///?service=queues&name=mail",
            PostgresLocation("postgresql:///?service=queues", "mail"),
        ),
        (
            "postgresql://ann:se?name=cret@h/db?name=mail",
            PostgresLocation("postgresql://ann:se?name=cret@h/db", "mail"),
        ),
        ("postgresql:///db?host=/var/run", PostgresLocation("postgresql:///db?host=/var/run")),
    ],
)
def test_a_url_says_the_engine_the_queue_and_the_schema(
    url: str, location: SqliteLocation | PostgresLocation
) -> None:
    assert locate(url) == location


@pytest.mark.parametrize(
    "url", ["mysql://h/db", "postgresql+psycopg://h/db", "sqlite://q.db", "postgresql:/h/d"]
)
def test_a_url_that_nobody_knows_is_a_mistake_of_the_configuration(url: str) -> None:
    with pytest.raises(BadURL):
        locate(url)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("redis://h", RedisLocation("redis://h")),
        ("redis://h:1/2?name=my%20mail", RedisLocation("redis://h:1/2", "my mail")),
        ("valkey://h/0?ssl=1", RedisLocation("redis://h/0?ssl=1")),
        ("VALKEYS://h/0", RedisLocation("rediss://h/0")),
        ("unix:///run/r.sock?db=3&queue=mail", RedisLocation("unix:///run/r.sock?db=3", "mail")),
        ("redis://a:s@s/e?c#t@h/0?name=x", RedisLocation("redis://a:s%40s%2Fe%3Fc%23t@h/0", "x")),
    ],
)
def test_a_redis_url_says_the_server_and_the_queue(url: str, location: RedisLocation) -> None:
    assert locate(url) == location


def test_a_redis_server_is_said_as_huey_says_it() -> None:
    def found(**options: object) -> RedisLocation:
        location = RedisHuey("app", **options).location  # type: ignore[arg-type]
        assert isinstance(location, RedisLocation)
        return location

    assert found() == RedisLocation("redis://localhost:6379/0")
    assert found(host="h", port="1", db=2) == RedisLocation("redis://h:1/2")
    assert found(host="h", password=None).words == ()
    assert found(host="h", password="sesame").words == (("password", "sesame"),)
    assert found(host="::1", ssl=True).url == "rediss://[::1]:6379/0"
    assert found(unix_socket_path="/run/r.sock").url == "unix:///run/r.sock?db=0"
    assert found(connection={"host": "h", "password": "x"}).url == "redis://h:6379/0"
    assert found(url="redis://h/1", password="sesame").words == (("password", "sesame"),)
    assert found(blocking=True, read_timeout=1, notify_result=True).words == ()
    assert found(replicas=1).words == (("replicas", 1),)
    assert found(client=object()).client is not None
    assert "sesame" not in repr(RedisHuey("app", host="h", password="sesame").location)
    assert RedisHuey("app").keep.done_count < Huey("app").keep.done_count


@pytest.mark.parametrize(
    "options",
    [
        {"url": "redis://h", "host": "h"},
        {"url": "redis://h", "connection_pool": object()},
        {"connection_pool": object(), "client": object()},
        {"client": object(), "db": 0},
    ],
)
def test_a_redis_server_is_said_once(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="over-determined"):
        RedisHuey("app", **options)  # type: ignore[arg-type]


def test_what_is_no_redis_server_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"queue\.db is no Redis server"):
        RedisHuey("app", url="queue.db")
    with pytest.raises(TypeError, match="max_connections"):
        RedisHuey("app", max_connections=20)


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://ann:sesame@h/db", "postgresql://ann:***@h/db"),
        ("postgresql://ann:se'sa@sesame@h/db", "postgresql://ann:***@h/db"),
        ("postgresql://h/db?password=sesame", "postgresql://h/db?password=***"),
        ("host=h password=sesame dbname=db", "host=h password=*** dbname=db"),
        ("password = 'open \\'sesame' host=h", "password = *** host=h"),
        ("", "postgresql:///"),
    ],
)
def test_what_is_shown_has_no_password(dsn: str, name: str) -> None:
    location = locate_dsn(dsn)

    assert location.name == name
    assert "sesame" not in repr(location)
    assert "sesame" not in repr(Huey("app", url=location))


def test_a_schema_of_ones_own_is_shown() -> None:
    assert locate("postgresql://h/db?schema=jobs").name == "postgresql://h/db?schema=jobs"
    assert locate_dsn("host=h", "jobs").name == "host=h schema=jobs"
    assert locate_dsn("postgresql://h/db?a=b", "jobs").name == "postgresql://h/db?a=b&schema=jobs"


def test_connection_parameters_are_taken_as_huey_takes_them() -> None:
    words = PostgresHuey("app", host="h", dbname="db", user="ann", password="open 'sesame")
    nested = PostgresHuey("app", connection={"host": "h", "port": 5433})
    both = PostgresHuey("app", dsn="postgresql://h/db", password="a&b", schema="jobs")

    assert words.location == PostgresLocation(
        "dbname='db' host='h' password='open \\'sesame' user='ann'"
    )
    assert nested.location == PostgresLocation("host='h' port='5433'")
    assert both.location == PostgresLocation("postgresql://h/db?password=a%26b", schema="jobs")


def test_a_function_that_connects_is_refused_because_there_are_several_connections() -> None:
    with pytest.raises(ConfigurationError, match="give dsn="):
        PostgresHuey("app", connection=lambda: None)  # type: ignore[arg-type]


def test_another_engine_is_no_database() -> None:
    with pytest.raises(BadURL, match="no database of PostgreSQL"):
        PostgresHuey("app", dsn="sqlite:///queue.db")


def test_an_instance_goes_where_its_url_says() -> None:
    assert Huey("app", url="sqlite:////var/queue.db").location == SqliteLocation("/var/queue.db")
    assert Huey("app", url="sqlite:////var/queue.db").filename == "/var/queue.db"
    assert Huey(url="postgresql://h/db?name=mail").name == "mail"
    assert Huey("app", url="postgresql://h/db").name == "app"
    assert MemoryHuey("app", url="postgresql://h/db").location == SqliteLocation(":memory:")
    assert SqliteHuey("app", "queue.db").filename == "queue.db"


def test_two_words_for_the_same_thing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="give one of them"):
        Huey("app", "queue.db", url="postgresql://h/db")
    with pytest.raises(ConfigurationError, match="names the queue 'mail', the application 'app'"):
        Huey("app", url="postgresql://h/db?name=mail")


def test_without_the_driver_the_error_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from hueycore import ConfigurationError, PostgresHuey\n"
        "huey = PostgresHuey('app', dsn='postgresql://h/db')\n"
        "try: huey.pending_count()\n"
        "except ConfigurationError as error: print(error)\n"
        "try: from hueycore.storage import PostgresStorage\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    use, name = done.stdout.splitlines()
    assert "psycopg" in use
    assert "pip install 'hueyctl[postgres]'" in use
    assert use == name


def test_who_uses_a_file_loads_nothing_of_another_engine() -> None:
    code = (
        "import sys\n"
        "from hueycore import MemoryHuey\n"
        "MemoryHuey('app').pending_count()\n"
        "print(*[name for name in sys.modules if 'postgres' in name or 'psycopg' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


def test_without_redis_py_the_error_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['redis'] = None\n"
        "from hueycore import ConfigurationError, RedisHuey\n"
        "huey = RedisHuey('app')\n"
        "try: huey.pending_count()\n"
        "except ConfigurationError as error: print(error)\n"
        "try: from hueycore.storage import RedisStorage\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    use, name = done.stdout.splitlines()
    assert "pip install 'hueyctl[redis]'" in use
    assert use == name
