"""Worker processes: a supervisor, and what runs in its children."""
