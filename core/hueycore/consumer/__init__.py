"""The consumer: the process that runs jobs."""

from hueycore.consumer.consumer import Consumer

__all__ = ["Consumer"]
