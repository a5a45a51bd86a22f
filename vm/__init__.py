"""The virtual machine: bytecode, its verifier, and the engines that run it on a Host.

Knows nothing above it: no syntax, no emulator, no command line.
"""
