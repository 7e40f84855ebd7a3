"""A file per command, or a folder with its helpers. ``hueyctl.cli`` imports the one that runs."""
