"""Values that cross into a storage and out of it. Nothing here does I/O."""
