"""``hueyctl enqueue`` and what it alone uses."""
