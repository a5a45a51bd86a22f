"""The native engine: bytecode -> LLVM (llvmlite) -> machine code. Same results as the reference engine, only faster.

Nothing outside this package imports llvmlite, and importing `vm` does not import this package: whoever wants it imports
`vm.native.engine`, and gets ImportError where llvmlite is missing.
"""
