"""Which module of this package carries a system call out."""

from __future__ import annotations

from importlib import import_module

from machine.kernel.abi import Call
from machine.kernel.linux.abi import CALLS
from machine.kernel.linux.names import NUMBERS

# Each module, and its calls.
_FAMILIES = """
allocation     fallocate
attributes     getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr
               setxattr lsetxattr fsetxattr
capabilities   capget capset
children       fork vfork wait4 waitid
cloning        clone clone3 unshare
confinement    seccomp
descriptors    close close_range dup dup2 dup3 pipe pipe2 eventfd eventfd2 memfd_create fcntl ioctl fstat fstatfs
               fchmod lseek getdents64 getdents fsync fdatasync sync syncfs sync_file_range fadvise64 readahead
               ftruncate
execution      execve execveat
futexes        futex
locks          flock
memory         mmap munmap mprotect pkey_mprotect pkey_alloc pkey_free brk mremap madvise msync mincore mlock munlock
               mlock2 mlockall munlockall remap_file_pages mseal
memory_policy  set_mempolicy get_mempolicy mbind set_mempolicy_home_node migrate_pages move_pages
messages       sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg
opening        open creat openat openat2
paths          stat lstat newfstatat statx access faccessat faccessat2 statfs getcwd chdir fchdir mkdir mkdirat rmdir
               unlink unlinkat rename renameat renameat2 link linkat mknod mknodat symlink symlinkat readlink
               readlinkat chmod fchmodat chown lchown fchownat fchown truncate utimensat utimes futimesat utime umask
peers          pidfd_open pidfd_send_signal pidfd_getfd process_vm_readv process_vm_writev process_madvise kcmp
               setfsuid setfsgid syslog
polling        poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
               signalfd signalfd4
posix_queues   mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
prctl          prctl
processes      getpid getppid getuid geteuid getgid getegid setuid setreuid setresuid setgid setregid setresgid
               getresuid getresgid getgroups getpgrp setsid getpgid getsid setpgid getpriority setpriority
               sched_get_priority_max sched_get_priority_min arch_prctl rseq sched_getaffinity getcpu personality uname
               sysinfo getrusage times getrandom
queues         msgget msgsnd msgrcv msgctl
resources      getrlimit setrlimit prlimit64
scheduling     sched_setaffinity sched_setscheduler sched_setparam sched_getscheduler sched_getparam sched_getattr
               sched_setattr sched_rr_get_interval ioprio_get ioprio_set membarrier
segments       shmget shmat shmdt shmctl
semaphores     semget semop semtimedop semctl
signals        rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait sigaltstack kill tkill rt_sigqueueinfo
               rt_tgsigqueueinfo tgkill pause rt_sigsuspend rt_sigreturn
sockets        socket socketpair bind listen accept accept4 connect getsockname getpeername shutdown getsockopt
               setsockopt
threads        gettid set_tid_address sched_yield exit_group exit set_robust_list get_robust_list
time           clock_gettime clock_getres clock_settime gettimeofday time nanosleep clock_nanosleep
timers         alarm getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete
               timerfd_create timerfd_settime timerfd_gettime
tracing        ptrace
transfers      read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 sendfile copy_file_range splice
               vmsplice tee
watching       inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
"""


def _homes() -> dict[int, str]:
    found: dict[int, str] = {}
    family = ""
    for line in _FAMILIES.strip().splitlines():
        words = line.split()
        family = family if line.startswith(" ") else words.pop(0)
        found |= {NUMBERS[word]: family for word in words}
    return found


HOMES = _homes()  # by the number of a call that is carried out: its family


def call_of(number: int) -> Call | None:
    """The call of SYSCALL with this number, if it is carried out."""
    family = HOMES.get(number)
    if family is None:
        return None
    import_module(f"{__package__}.{family}")
    return CALLS[number]
