"""The pages: a function each, from a view to a page, with its template of the same name."""
