"""The system calls, by family. Each takes the task and its arguments, already read as `table.KINDS` says.

The result is the call's; failure is `LinuxError`. Order and meaning of the arguments are those of the man pages.
"""
