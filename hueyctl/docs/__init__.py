"""Man pages and completions, made from the command tree, and the topics of help."""
