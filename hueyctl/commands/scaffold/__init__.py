"""``hueyctl scaffold`` and what it alone uses."""
