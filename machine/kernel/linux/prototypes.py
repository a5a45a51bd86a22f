"""The arguments of Linux' system calls, as those of x86-64 take them (man pages, section 2): what each word means.

    openat    dirfd path flags=open openmode
    read      fd >data@2 size

A word is a type, with a table or the like behind `=` and the index of the argument with the length behind `@` (`@r`:
the result). `>` marks what the call fills in, `+` what it may change. `-> TYPE` is the result, where that is no plain
number. A call without a row has the types of its function; one that is not carried out has six words. The types are
functions of `hds.tracing.linux`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from machine.kernel.abi import Argument, Call
from machine.kernel.linux.abi import Address, Int, Long, Path, UInt, Word
from machine.kernel.linux.calls import CALLS, INTERRUPT_CALLS

_ROWS = """
read              fd >data@r size
write             fd data@2 size
open              path flags=open openmode -> fd
creat             path mode -> fd
openat            dirfd path flags=open openmode -> fd
openat2           dirfd path struct=open_how size -> fd
close             fd
close_range       uint uint flags=close_range
stat              path >struct=stat
lstat             path >struct=stat
fstat             fd >struct=stat
newfstatat        dirfd path >struct=stat flags=at
statx             dirfd path flags=statx flags=statx_mask >struct=statx
poll              pollfds@1 uint int -> ready_polls
ppoll             pollfds@1 uint struct=timespec sigset size -> ready_polls
select            int fdset fdset fdset struct=timeval -> ready_selects
pselect6          int fdset fdset fdset struct=timespec pselect_mask -> ready_selects
lseek             fd long enum=whence
mmap              ptr size flags=prot flags=map fd hex -> ptr
mprotect          ptr size flags=prot
munmap            ptr size
brk               ptr -> ptr
mremap            ptr size size flags=mremap new_address -> ptr
msync             ptr size flags=msync
mincore           ptr size ptr
madvise           ptr size enum=madvise
mlock             ptr size
munlock           ptr size
mlock2            ptr size flags=mlock2
mlockall          flags=mlockall
munlockall
rt_sigaction      signal struct=sigaction >struct=sigaction size
rt_sigprocmask    enum=sigmask sigset >sigset size
rt_sigpending     >sigset size
rt_sigtimedwait   sigset >struct=siginfo struct=timespec size
rt_sigqueueinfo   int signal struct=siginfo
rt_tgsigqueueinfo int int signal struct=siginfo
rt_sigsuspend     sigset size
rt_sigreturn      sigframe
sigaltstack       struct=stack >struct=stack
signalfd          fd sigset size -> fd
signalfd4         fd sigset size flags=sfd -> fd
kill              int signal
tkill             int signal
tgkill            int int signal
pause
ioctl             fd ioctl_command +ioctl_argument
pread64           fd >data@r size long
pwrite64          fd data@2 size long
readv             fd >iovec@2 size
writev            fd iovec@2 size
preadv            fd >iovec@2 size long
pwritev           fd iovec@2 size long
preadv2           fd >iovec@2 size long flags=rwf_of_preadv2
pwritev2          fd iovec@2 size long flags=rwf_of_preadv2
access            path flags=access
faccessat         dirfd path flags=access
faccessat2        dirfd path flags=access flags=at_eaccess
pipe              >fds
pipe2             >fds flags=pipe
dup               fd -> fd
dup2              fd fd -> fd
dup3              fd fd flags=dup -> fd
fcntl             fd enum=fcntl +fcntl_argument -> fcntl_result
flock             fd flags=flock
fsync             fd
fdatasync         fd
sync
syncfs            fd
sync_file_range   fd long long flags=sync_range
fadvise64         fd long size enum=fadvise
readahead         fd long size
truncate          path long
ftruncate         fd long
fallocate         fd flags=fallocate long long
getdents          fd >dirents size
getdents64        fd >dirents64 size
getcwd            >string size
chdir             path
fchdir            fd
rename            path path
renameat          dirfd path dirfd path
renameat2         dirfd path dirfd path flags=rename
mkdir             path mode
mkdirat           dirfd path mode
rmdir             path
link              path path
linkat            dirfd path dirfd path flags=at
unlink            path
unlinkat          dirfd path flags=at_remove
symlink           path path
symlinkat         path dirfd path
readlink          path >data@r size
readlinkat        dirfd path >data@r size
mknod             path filemode device
mknodat           dirfd path filemode device
chmod             path mode
fchmod            fd mode
fchmodat          dirfd path mode
chown             path id id
lchown            path id id
fchown            fd id id
fchownat          dirfd path id id flags=at
umask             mode -> mode
utime             path struct=utimbuf
utimes            path timevals
futimesat         dirfd path timevals
utimensat         dirfd path timespecs flags=at
statfs            path >struct=statfs
fstatfs           fd >struct=statfs
sendfile          fd fd >word size
copy_file_range   fd >word fd >word size hex
splice            fd >word fd >word size flags=splice
tee               fd fd size flags=splice
inotify_init
inotify_init1     flags=inotify_init -> fd
inotify_add_watch fd path flags=inotify
inotify_rm_watch  fd int
pidfd_open        int hex -> fd
pidfd_getfd       fd int hex -> fd
pidfd_send_signal fd signal struct=siginfo hex
memfd_create      string flags=memfd -> fd
eventfd           uint -> fd
eventfd2          uint flags=eventfd -> fd
epoll_create      int -> fd
epoll_create1     flags=epoll_create -> fd
epoll_ctl         fd enum=epoll_ctl fd epoll_of_ctl
epoll_wait        fd >epoll_events@r int int
epoll_pwait       fd >epoll_events@r int int sigset size
epoll_pwait2      fd >epoll_events@r int struct=timespec sigset size
timerfd_create    enum=clock flags=tfd -> fd
timerfd_settime   fd flags=tfd_timer struct=itimerspec >struct=itimerspec
timerfd_gettime   fd >struct=itimerspec
socket            enum=family flags=socket_type socket_protocol -> fd
socketpair        enum=family flags=socket_type socket_protocol >fds
bind              fd sockaddr@2 int
connect           fd sockaddr@2 int
listen            fd int
accept            fd >sockaddr@p2 >length -> fd
accept4           fd >sockaddr@p2 >length flags=accept -> fd
getsockname       fd >sockaddr@p2 >length
getpeername       fd >sockaddr@p2 >length
shutdown          fd enum=shutdown
setsockopt        fd enum=sol sockopt sockopt_value@4 int
getsockopt        fd enum=sol sockopt >sockopt_value@p4 +length
sendto            fd data@2 size flags=msg sockaddr@5 uint
recvfrom          fd >data@r size flags=msg >sockaddr@p5 >length
sendmsg           fd msghdr flags=msg
recvmsg           fd >msghdr flags=msg
sendmmsg          fd ptr uint flags=msg
recvmmsg          fd ptr uint flags=msg struct=timespec
clone             clone
clone3            +struct=clone_args size
fork
vfork
execve            path strings environment
execveat          dirfd path strings environment flags=at
exit              int -> none
exit_group        int -> none
wait4             int >wait_status flags=wait >struct=rusage
waitid            enum=id_type int >struct=siginfo flags=wait >struct=rusage
set_tid_address   ptr
set_robust_list   ptr size
get_robust_list   int >word >word
rseq              ptr hex hex hex
futex             ptr flags=futex futex_value futex_timeout futex_second futex_third
arch_prctl        enum=arch_prctl arch_prctl_address
prctl             enum=prctl +prctl_argument prctl_more@2 prctl_more@3 prctl_more@4 -> prctl_result
personality       hex -> hex
uname             >struct=utsname
sysinfo           >struct=sysinfo
times             >struct=tms
getrusage         enum=rusage >struct=rusage
getrlimit         enum=rlimit >struct=rlimit
setrlimit         enum=rlimit struct=rlimit
prlimit64         int enum=rlimit struct=rlimit >struct=rlimit
getrandom         >hexdata@r size flags=getrandom
getpid
getppid
gettid
getuid
geteuid
getgid
getegid
getpgrp
getpgid           int
setpgid           int int
getsid            int
setsid
setuid            id
setgid            id
setreuid          id id
setregid          id id
setresuid         id id id
setresgid         id id id
getresuid         >uint_at >uint_at >uint_at
getresgid         >uint_at >uint_at >uint_at
getgroups         int >groups@r
getpriority       enum=priority int
setpriority       enum=priority int int
sched_yield
sched_getscheduler int -> scheduler
sched_setscheduler int enum=scheduler sched_parameter
sched_getparam    int >sched_parameter
sched_get_priority_max enum=scheduler
sched_get_priority_min enum=scheduler
sched_rr_get_interval int >struct=timespec
sched_getaffinity int size >cpu_set@r
sched_setaffinity int size cpu_set@1
getcpu            >uint_at >uint_at ptr
ioprio_get        enum=ioprio int
ioprio_set        enum=ioprio int hex
membarrier        enum=membarrier flags=barrier barrier_cpu -> barriers
capget            capability_header >capability_data
capset            capability_header capability_data
clock_gettime     enum=clock >struct=timespec
clock_getres      enum=clock >struct=timespec
clock_settime     enum=clock struct=timespec
clock_nanosleep   enum=clock flags=timer_absolute struct=timespec +left_timespec
nanosleep         struct=timespec +left_timespec
gettimeofday      >struct=timeval >ptr
time              >seconds_at -> seconds
alarm             uint
getitimer         enum=itimer >struct=itimerval
setitimer         enum=itimer struct=itimerval >struct=itimerval
timer_create      enum=clock ptr >int_at
timer_settime     int flags=timer_absolute struct=itimerspec >struct=itimerspec
timer_gettime     int >struct=itimerspec
timer_getoverrun  int
timer_delete      int
shmget            key size ipc_flags
shmat             int ptr flags=shmat -> ptr
shmdt             ptr
shmctl            int enum=ipc_command ptr
semget            key int ipc_flags
semop             int ptr uint
semtimedop        int ptr uint struct=timespec
semctl            int int enum=ipc_command ptr
msgget            key ipc_flags
msgsnd            int ptr size flags=msgget
msgrcv            int ptr size long flags=msgget
msgctl            int enum=ipc_command ptr
get_mempolicy     ptr ptr hex ptr hex
vmsplice          fd ptr size hex
ptrace            enum=ptrace int ptr ptr
mount             path path string flags=mount string
umount2           path flags=umount
chroot            path
sethostname       data@1 size
setdomainname     data@1 size
seccomp           uint hex ptr
bpf               int ptr size
io_uring_setup    uint ptr
io_uring_enter    fd uint uint hex sigset size
mq_open           string flags=open openmode ptr -> fd
mq_unlink         string
mq_timedsend      fd data@2 size uint struct=timespec
mq_timedreceive   fd >data@r size >uint_at struct=timespec
mq_notify         fd ptr
mq_getsetattr     fd ptr ptr
pkey_mprotect     ptr size flags=prot int
removexattr       path string
lremovexattr      path string
fremovexattr      fd string
lsetxattr         path string data@3 size hex
fsetxattr         fd string data@3 size hex
getxattr          path string ptr size
lgetxattr         path string ptr size
fgetxattr         fd string ptr size
setxattr          path string data@3 size hex
listxattr         path ptr size
llistxattr        path ptr size
flistxattr        fd ptr size
"""

_TYPES: Mapping[Argument, str] = {
    get_args(kind)[1]: name
    for kind, name in ((Int, "int"), (UInt, "uint"), (Long, "long"), (Word, "hex"), (Address, "ptr"), (Path, "path"))
}


def _of_function(call: Call) -> str:
    """What the signature of a call says."""
    return " ".join(_TYPES[argument] for argument in call.arguments)


def _rows(text: str) -> dict[str, str]:
    return {row.split()[0]: row.partition(" ")[2].strip() for row in text.strip().splitlines()}


PROTOTYPES: Mapping[str, str] = {
    **{call.name: _of_function(call) for call in CALLS.values()},
    **_rows(_ROWS),
}

# Of INT 0x80: those of the calls of SYSCALL with the same function; structures of others are addresses.
_ROWS_386 = """
open              path flags=open openmode -> fd
creat             path mode -> fd
openat            dirfd path flags=open openmode -> fd
mmap2             ptr size flags=prot flags=map fd hex -> ptr
nanosleep         timespec32 +left_timespec32
clock_gettime     enum=clock >timespec32
clock_getres      enum=clock >timespec32
gettimeofday      >timeval32 >ptr
time              >seconds_at32 -> seconds
stat64            path >stat64
lstat64           path >stat64
fstat64           fd >stat64
fstatat64         dirfd path >stat64 flags=at
readv             fd >iovec32@2 size
writev            fd iovec32@2 size
pread64           fd >data@r size offset64@3 nothing
pwrite64          fd data@2 size offset64@3 nothing
truncate64        path offset64@1 nothing
ftruncate64       fd offset64@1 nothing
fallocate         fd flags=fallocate offset64@2 nothing offset64@4 nothing
times             >tms32
_newselect        int fdset fdset fdset timeval32 -> ready_selects
futex             ptr flags=futex futex_value futex_timeout32 futex_second futex_third
_llseek           fd offset64@1- nothing >offset_at enum=whence
fcntl             fd enum=fcntl +fcntl_argument32 -> fcntl_result
fcntl64           fd enum=fcntl +fcntl_argument32 -> fcntl_result
waitpid           int >wait_status flags=wait
execve            path strings32 environment32
getgroups         int >groups16
sigprocmask       enum=sigmask sigset32 >sigset32
rt_sigaction      signal sigaction32 >sigaction32 size
sigaltstack       wide=stack >wide=stack
sigpending        >sigset32
rt_sigtimedwait   sigset >ptr wide=timespec size
getitimer         enum=itimer >wide=itimerval
setitimer         enum=itimer wide=itimerval >wide=itimerval
timer_settime     int flags=timer_absolute wide=itimerspec >wide=itimerspec
timer_gettime     int >wide=itimerspec
timerfd_settime   fd flags=tfd_timer wide=itimerspec >wide=itimerspec
timerfd_gettime   fd >wide=itimerspec
clock_nanosleep   enum=clock flags=timer_absolute timespec32 +left_timespec32
ppoll             pollfds@1 uint wide=timespec sigset size -> ready_polls
pselect6          int fdset fdset fdset wide=timespec ptr -> ready_selects
sched_rr_get_interval int >wide=timespec
sched_getaffinity int size >cpu_set@r
utime             path wide=utimbuf
getrlimit         enum=rlimit >wide=rlimit
ugetrlimit        enum=rlimit >wide=rlimit
setrlimit         enum=rlimit wide=rlimit
getrusage         enum=rusage >wide=rusage
wait4             int >wait_status flags=wait >wide=rusage
waitid            enum=id_type int >ptr flags=wait >wide=rusage
sysinfo           >wide=sysinfo
statfs            path >wide=statfs
fstatfs           fd >wide=statfs
execveat          dirfd path strings32 environment32 flags=at
"""
_BY_FUNCTION = {call.answer: call.name for call in CALLS.values()}
SAME_CALL: Mapping[str, str] = {
    call.name: _BY_FUNCTION.get(call.answer, call.name) for call in INTERRUPT_CALLS.values()
}
PROTOTYPES_386: Mapping[str, str] = {
    **{
        call.name: PROTOTYPES[_BY_FUNCTION[call.answer]] if call.answer in _BY_FUNCTION else _of_function(call)
        for call in INTERRUPT_CALLS.values()
    },
    **_rows(_ROWS_386),
}

# What `-e trace=%CLASS` means: strace's classes, of which `%%stat` and `%%statfs` have all kinds.
CLASSES: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "file": """open creat openat openat2 stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat
            chdir rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat mknod
            mknodat chmod fchmodat chown lchown fchownat utime utimes futimesat utimensat statfs truncate execve
            execveat getcwd inotify_add_watch getxattr lgetxattr setxattr lsetxattr listxattr llistxattr
            removexattr lremovexattr mount umount2 chroot""",
        "process": """clone clone3 fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill
            rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal""",
        "network": """socket socketpair bind connect listen accept accept4 getsockname getpeername shutdown setsockopt
            getsockopt sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg sendfile""",
        "memory": """mmap mprotect munmap brk mremap msync mincore madvise mlock munlock mlock2 mlockall munlockall
            shmat shmdt get_mempolicy set_mempolicy mbind
            migrate_pages move_pages set_mempolicy_home_node pkey_mprotect remap_file_pages""",
        "signal": """rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo
            rt_sigsuspend rt_sigreturn sigaltstack signalfd signalfd4 kill tkill tgkill pause
            pidfd_send_signal io_uring_enter""",
        "ipc": "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl",
        "clock": "clock_gettime clock_getres clock_settime gettimeofday time",
        "desc": """read write close fstat poll ppoll select pselect6 lseek mmap ioctl pread64 pwrite64 readv writev
            preadv pwritev preadv2 pwritev2 dup dup2 dup3 fcntl flock fsync fdatasync ftruncate fallocate getdents
            getdents64 fchdir fchmod fchown fstatfs sendfile copy_file_range splice tee openat open creat pipe pipe2
            eventfd eventfd2 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait timerfd_create
            timerfd_settime timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
            memfd_create signalfd signalfd4 bpf faccessat faccessat2 fadvise64 fchmodat fchownat fgetxattr flistxattr
            fremovexattr fsetxattr futimesat io_uring_enter io_uring_setup linkat mkdirat mknodat mq_getsetattr
            mq_notify mq_open mq_timedreceive mq_timedsend newfstatat openat2 pidfd_getfd pidfd_open pidfd_send_signal
            readahead readlinkat renameat renameat2 statx symlinkat sync_file_range syncfs unlinkat utimensat
            vmsplice epoll_pwait2 execveat""",
        "creds": """getuid geteuid getgid getegid getgroups setuid setgid setreuid setregid setresuid setresgid
            getresuid getresgid capget capset prctl setfsuid setfsgid""",
        "stat": "stat",
        "lstat": "lstat",
        "fstat": "fstat newfstatat statx",
        "%stat": "stat lstat fstat newfstatat statx",
        "statfs": "statfs",
        "fstatfs": "fstatfs",
        "%statfs": "statfs fstatfs",
        "pure": "getpid getppid gettid getuid geteuid getgid getegid getpgrp",
    }.items()
}  # fmt: skip
