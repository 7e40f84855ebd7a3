"""Man pages, completions and topics, made from the command tree."""
