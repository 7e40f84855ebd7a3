"""Worker kinds: how the runs of one consumer are spread."""
