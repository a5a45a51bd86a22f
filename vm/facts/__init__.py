"""What HyperDbg defines, one row each, read by everybody else: imports nothing of ours, does nothing but look rows up.

events, commands, errors, builtins, registers, pseudo_registers, stages, limits, numbers.
"""
