"""Man pages, completions, topics and schemas, made from the command tree."""
