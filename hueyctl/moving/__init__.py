"""Jobs as lines of a file, out of a storage and into another."""
