"""``hueyctl lock …``: a file per command."""
