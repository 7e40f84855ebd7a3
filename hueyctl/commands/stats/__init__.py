"""``hueyctl stats`` and what it alone uses."""
