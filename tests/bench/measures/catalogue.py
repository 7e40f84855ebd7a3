"""Every measure by its name."""

from functools import partial

from app import burn, nap

from measures import commands, consumers, crowd, dashboard, drain, enqueue, memory, producers, rows

KINDS = tuple(consumers.WORKERS)
MEASURES = {
    "enqueue": enqueue.enqueue,
    "bulk": enqueue.bulk,
    "enqueue-threads": partial(crowd.crowd, 1, 16),
    "enqueue-processes": partial(crowd.crowd, 8, 1),
    "enqueue-threads-slow": partial(crowd.crowd, 1, 16, slow=True),
    "enqueue-processes-slow": partial(crowd.crowd, 8, 1, slow=True),
    "fair": crowd.fair,
    "drain-1": partial(drain.drain, 1),
    "drain-4": partial(drain.drain, 4),
    "drain-process": partial(drain.drain_processes, 4),
    **{f"consumers-{number}": partial(drain.drain_together, number) for number in (1, 2, 4)},
    "million": drain.million,
    "server-bytes": memory.server_bytes,
    "naps-1ms": partial(drain.naps, 0.001, 6000),
    "naps-10ms": partial(drain.naps, 0.01, 1600),
    "compute-thread": partial(drain.compute, "thread"),
    "compute-process": partial(drain.compute, "process"),
    "beside": drain.beside,
    "beside-drain": partial(drain.beside, produces=False),
    "beside-produce": partial(drain.beside, consumes=False),
    "rows-1k": partial(rows.drain_among, 1000),
    "rows-1m": partial(rows.drain_among, 1_000_000),
    "questions": rows.questions,
    "dashboard": dashboard.dashboard,
    "consume": commands.consume,
    "consume-quiet": partial(commands.consume, quiet=True),
    "start-help": commands.help_command,
    "start-depth": commands.depth_command,
    "start-producer": commands.producer_command,
    "start-ups": commands.start_ups,
    "latency": consumers.latency,
    "visible-io": partial(consumers.visible, nap),
    "visible-cpu": partial(consumers.visible, burn),
    **{f"memory-{kind}": partial(consumers.memory, kind) for kind in KINDS},
    **{f"waiting-{kind}": partial(consumers.waiting, kind) for kind in ("greenlet", "asyncio")},
    # What they start.
    "consumer": drain.consume_together,
    **{f"serve-{kind}": partial(consumers.serve, kind) for kind in KINDS},
    **{f"producer-{threads}": partial(producers.produce, threads) for threads in (1, 16)},
}
