import asyncio

try:
    from django.tasks import task
except ImportError:  # Django 5.2 with django-tasks
    from django_tasks import task


class Undeliverable(Exception):
    """No such address."""


@task
def write(name, greeting="Dear"):
    return f"{greeting} {name}"


@task(priority=10, queue_name="mail")
async def send(name):
    await asyncio.sleep(0)
    return {"sent": [name]}


@task
def fail(name):
    raise Undeliverable(name)


@task(backend="patient", takes_context=True)
def insist(context, name):
    if context.attempt < 2:
        raise ConnectionError("busy")
    return context.attempt
