"""The rules of the queue, written once for every SQL engine."""
