"""Where Huey's users find what stands in a chord's list for a member without a value."""

from hueycore.canvas import SKIPPED, Error

__all__ = ["SKIPPED", "Error"]
