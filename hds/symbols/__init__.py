"""Symbols as a compiler begins with them: the table of modules, and readable forms of mangled names."""
