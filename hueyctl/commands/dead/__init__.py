"""``hueyctl dead …``: a file per command."""
