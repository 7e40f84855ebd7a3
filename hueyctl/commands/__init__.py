"""One file per command. Imported by the registry in ``hueyctl.cli``, one at a time."""
