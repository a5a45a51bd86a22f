"""What runs between the emulator and Python as machine code, compiled with llvmlite.

Nothing here is needed for a right answer: who asks gets None where llvmlite is missing, and does the same in Python.
"""
