"""Files that run ``hueyctl consume`` for good: one room per format."""
