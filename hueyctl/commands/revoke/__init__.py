"""``hueyctl revoke`` and what it alone uses."""
