"""The language: text -> syntax tree -> typed tree -> bytecode, and the command level of .hds files.

Knows `vm` (the instruction set) and nothing of the machine or the command line.
"""
