/* Memory that is shared by files and by System V's and POSIX's objects: each case prints the same natively and here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define KEY (1 << 28 | own_key) // another in each run: natively the objects are of the whole machine
static int own_key;
#define SHOW(what) do { errno = 0; long shown = (long)(what); printf("%s = %ld %d\n", #what, shown, errno); } while (0)
#define BOTH (PROT_READ | PROT_WRITE)

static char *map_file(int file, size_t size, int rights, off_t offset) {
    char *made = mmap(0, size, rights, MAP_SHARED, file, offset);
    if (made == MAP_FAILED) printf("mmap: %d\n", errno);
    return made;
}
static int sized(const char *name, size_t size) {
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (ftruncate(file, size)) printf("ftruncate: %d\n", errno);
    return file;
}
static int in_child(int (*body)(void)) {
    int status; fflush(stdout);
    int child = fork();
    if (!child) { int code = body(); fflush(stdout); _exit(code); }
    waitpid(child, &status, 0);
    printf("child %d\n", status);
    return status;
}

static sigjmp_buf back;
static volatile int last_signal, last_code;
static volatile long last_address;
static void caught(int number, siginfo_t *info, void *context) {
    last_signal = number; last_code = info->si_code; last_address = (long)info->si_addr;
    siglongjmp(back, 1);
}
static void catch(void) {
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGBUS, &action, 0); sigaction(SIGSEGV, &action, 0);
}
static void touch(const char *what, volatile char *place, int write) {
    if (!sigsetjmp(back, 1)) {
        int value = *place; if (write) *place = value + 1;
        printf("%s: %d\n", what, value);
    } else printf("%s: signal %d code %d at %ld\n", what, last_signal, last_code, (long)place - last_address);
}

static int coherent(void) {
    char text[16] = "";
    int file = sized("file", 3 * PAGE + 5);
    char *one = map_file(file, 4 * PAGE, BOTH, 0), *two = map_file(file, 2 * PAGE, BOTH, PAGE);
    strcpy(one + PAGE + 7, "seen"); puts(two + 7);
    strcpy(two + 100, "back"); puts(one + PAGE + 100);
    SHOW(pread(file, text, 4, PAGE + 7)); puts(text);
    SHOW(pwrite(file, "write", 5, PAGE + 6)); puts(two + 6);
    lseek(file, 2 * PAGE - 3, SEEK_SET);
    SHOW(write(file, "across", 6)); printf("%.6s\n", two + PAGE - 3);
    int other = open("file", O_RDONLY);
    char *third = map_file(other, PAGE, PROT_READ, PAGE); printf("%s\n", third + 100);
    SHOW(mprotect(third, PAGE, BOTH));
    SHOW((long)mmap(0, PAGE, BOTH, MAP_SHARED, other, 0));
    char *own = mmap(0, PAGE, BOTH, MAP_PRIVATE, other, PAGE); puts(own + 100);
    strcpy(own + 100, "mine"); puts(two + 100);
    SHOW(msync(one, 4 * PAGE, MS_SYNC)); SHOW(munmap(one, 4 * PAGE));
    strcpy(two + 200, "later"); SHOW(munmap(two, 2 * PAGE));
    SHOW(pread(other, text, 6, PAGE + 200)); puts(text);
    SHOW(lseek(file, 0, SEEK_END));
    return 0;
}
static char *page; static int common;
static int by_child(void) {
    strcpy(page + 50, "by child"); pwrite(common, "file", 5, 80);
    int again = open("file", O_RDWR); char *anew = map_file(again, PAGE, BOTH, 0);
    strcpy(anew + 120, "anew"); return anew[0] == 'p' ? 4 : 5;
}
static int forked(void) {
    common = sized("file", PAGE); page = map_file(common, PAGE, BOTH, 0); strcpy(page, "parent");
    in_child(by_child); puts(page + 50); puts(page + 80); puts(page + 120);
    return 0;
}
static int left(void) {
    int file = sized("left", 2 * PAGE); char *made = map_file(file, 2 * PAGE, BOTH, 0);
    close(file); strcpy(made + 10, "never unmapped"); strcpy(made + PAGE, "second"); return 0;
}
static int killed(void) {
    int file = sized("killed", PAGE); char *made = map_file(file, PAGE, BOTH, 0);
    strcpy(made, "before the end"); kill(getpid(), SIGKILL); return 0;
}
static int ends(void) {
    catch();
    int file = sized("file", PAGE + 10); char *made = map_file(file, 3 * PAGE, BOTH, 0);
    touch("inside", made + PAGE, 1); touch("tail", made + PAGE + 100, 1); touch("behind", made + 2 * PAGE + 1, 0);
    touch("behind w", made + 2 * PAGE + 9, 1);
    SHOW(write(1, made + 2 * PAGE, 4)); SHOW(pread(file, made + 2 * PAGE, 4, 0));
    ftruncate(file, 2 * PAGE + 1); touch("grown", made + 2 * PAGE, 1);
    made[5] = 'x'; ftruncate(file, 3); touch("shrunk", made + PAGE, 0); touch("cut", made + 5, 0);
    ftruncate(file, 3 * PAGE); touch("again", made + PAGE, 0); touch("zero", made + 5, 0);
    char *own = mmap(0, 8 * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    touch("private", own + 2 * PAGE, 0); touch("private behind", own + 3 * PAGE, 0); touch("no right", own, 1);
    munmap(own, 8 * PAGE); touch("nothing", own, 0);
    char *all = mmap(0, PAGE, BOTH, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *more = mremap(all, PAGE, 2 * PAGE, MREMAP_MAYMOVE); touch("anonymous", more, 1); touch("more", more + PAGE, 1);
    fflush(stdout); signal(SIGBUS, SIG_DFL); ftruncate(file, 0); return *made;
}
static int moved(void) {
    int file = sized("file", 4 * PAGE); char *made = map_file(file, PAGE, BOTH, PAGE);
    made[0] = 'a'; pwrite(file, "second", 7, 2 * PAGE);
    char *more = mremap(made, PAGE, 2 * PAGE, MREMAP_MAYMOVE); printf("%c %s\n", more[0], more + PAGE);
    char *twin = mremap(more, 0, PAGE, MREMAP_MAYMOVE); twin[1] = 'b'; printf("%d %.2s\n", twin != more, more);
    char *there = mmap(0, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *far = mremap(more, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there); far[2] = 'c';
    printf("%d %.3s\n", far == there, twin);
    SHOW(munmap(far, PAGE)); printf("%s\n", far + PAGE);
    void *own = mmap(0, PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(mremap(own, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
    SHOW(madvise(twin, PAGE, MADV_DONTNEED)); printf("%.3s\n", twin);
    return 0;
}
static int seals(void) {
    char name[64] = "", path[64], text[8] = "";
    int file = memfd_create("thing", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    sprintf(path, "/proc/self/fd/%d", file); readlink(path, name, 63); puts(name);
    SHOW(ftruncate(file, 2 * PAGE)); SHOW(fcntl(file, F_GET_SEALS));
    char *made = map_file(file, 2 * PAGE, BOTH, 0); strcpy(made, "text");
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)); strcpy(made, "more");
    SHOW(write(file, "x", 1)); SHOW((long)mmap(0, PAGE, BOTH, MAP_SHARED, file, 0));
    SHOW(pread(file, text, 4, 0)); puts(text);
    munmap(made, 2 * PAGE);
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
    SHOW(ftruncate(file, PAGE)); SHOW(ftruncate(file, 3 * PAGE));
    char *look = map_file(file, PAGE, PROT_READ, 0); puts(look); SHOW(mprotect(look, PAGE, BOTH));
    char *own = mmap(0, PAGE, BOTH, MAP_PRIVATE, file, 0); own[0] = 'b'; puts(look);
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL)); SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(fcntl(file, F_GET_SEALS)); SHOW(fcntl(1, F_GET_SEALS));
    int two = memfd_create("two", MFD_ALLOW_SEALING); ftruncate(two, PAGE);
    char *reading = map_file(two, PAGE, PROT_READ, 0); SHOW(fcntl(two, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(reading, PAGE);
    return 0;
}
static int aliases(void) {
    int file = memfd_create("code", 0); ftruncate(file, PAGE);
    unsigned char *data = mmap(0, PAGE, BOTH, MAP_SHARED, file, 0);
    int (*code)(void) = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    int sum = 0;
    for (int turn = 0; turn < 50; turn++) {
        unsigned char bytes[] = {0xb8, turn, 0, 0, 0, 0xc3};
        if (turn % 3) memcpy(data, bytes, 6); else pwrite(file, bytes, 6, 0);
        sum = sum * 3 + code();
    }
    printf("%d\n", sum);
    return 0;
}
extern char **environ;
static char *self;
static int executed(void) {
    int from = open(self, O_RDONLY), file = memfd_create("program", MFD_CLOEXEC); char block[8192]; long size;
    while ((size = read(from, block, sizeof block)) > 0) write(file, block, size);
    char *arguments[] = {"named", "hello", 0}; fflush(stdout);
    fexecve(file, arguments, environ); perror("fexecve"); return 1;
}
static int hello(void) {
    char name[4096] = "", own[64] = ""; readlink("/proc/self/exe", name, 4095); puts(strrchr(name, '/'));
    FILE *comm = fopen("/proc/self/comm", "r"); fgets(own, 63, comm); printf("%s", own); return 7;
}
static int limits(void) {
    int file = sized("file", PAGE), directory = open(".", O_RDONLY), ends[2]; pipe(ends);
    SHOW((long)mmap(0, PAGE, PROT_READ, MAP_SHARED, directory, 0));
    SHOW((long)mmap(0, PAGE, PROT_READ, MAP_SHARED, ends[0], 0));
    int writing = open("file", O_WRONLY), reading = open("file", O_RDONLY);
    SHOW((long)mmap(0, PAGE, PROT_WRITE, MAP_SHARED, writing, 0));
    SHOW((long)mmap(0, PAGE, PROT_WRITE, MAP_SHARED, reading, 0));
    SHOW((long)mmap(0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 1 << 21, file, 0));
    SHOW((long)mmap(0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0));
    char *made = mmap(0, PAGE, BOTH, MAP_SHARED_VALIDATE, file, 0); made[1] = 1;
    SHOW(msync(made + 1, PAGE, MS_SYNC)); SHOW(msync(made, 1 << 20, MS_SYNC)); SHOW(msync(made, PAGE, MS_SYNC | MS_ASYNC));
    unlink("file"); made[0] = 'z'; char letter = 0; SHOW(pread(file, &letter, 1, 0)); SHOW(letter);
    return 0;
}

static int segment;
static int by_other(void) {
    char *own = shmat(segment, 0, 0); struct shmid_ds told; shmctl(segment, IPC_STAT, &told);
    printf("%s %ld\n", own, (long)told.shm_nattch); strcpy(own, "from child"); return shmdt(own) + 3;
}
static int segments(void) {
    struct shmid_ds told; SHOW(segment = 0); segment = shmget(KEY, 5000, IPC_CREAT | 0600);
    char *one = shmat(segment, 0, 0), *two = shmat(segment, 0, SHM_RDONLY);
    strcpy(one, "text"); puts(two); in_child(by_other); puts(two);
    SHOW(shmget(KEY, 100, 0) == segment); SHOW(shmget(KEY, 6000, 0)); SHOW(shmget(KEY, 1, IPC_CREAT | IPC_EXCL));
    SHOW(shmget((KEY | 1 << 30), 1, 0)); SHOW(shmget(IPC_PRIVATE, 0, 0600));
    SHOW(shmctl(segment, IPC_STAT, &told)); SHOW(told.shm_segsz); SHOW(told.shm_nattch); SHOW(told.shm_perm.mode);
    SHOW(told.shm_perm.__key == KEY); SHOW(told.shm_cpid == getpid()); SHOW(told.shm_lpid != getpid()); SHOW(told.shm_atime > 0);
    SHOW(mprotect(two, PAGE, BOTH)); SHOW((long)shmat(segment, one, 0)); SHOW((long)shmat(segment, one + 1, 0));
    SHOW(shmat(segment, one + 10, SHM_RND | SHM_REMAP) == one); puts(one);
    SHOW(shmdt(two + PAGE)); SHOW(shmdt(two)); SHOW(shmdt(two)); SHOW(shmctl(segment, IPC_STAT, &told)); SHOW(told.shm_nattch);
    SHOW(mprotect(one, PAGE, PROT_READ)); SHOW(shmctl(segment, IPC_STAT, &told)); SHOW(told.shm_nattch);
    told.shm_perm.mode = 0644; SHOW(shmctl(segment, IPC_SET, &told)); SHOW(shmctl(segment, SHM_LOCK, 0));
    SHOW(shmctl(segment, IPC_RMID, 0)); SHOW(shmctl(segment, IPC_STAT, &told)); SHOW(told.shm_perm.mode); SHOW(told.shm_perm.__key);
    SHOW(shmget(KEY, 100, 0)); in_child(by_other); puts(one);
    SHOW(shmdt(one)); SHOW(shmctl(segment, IPC_STAT, &told)); SHOW((long)shmat(segment, 0, 0)); SHOW(shmctl(segment, 77, 0));
    SHOW(shmctl(-1, IPC_STAT, &told)); SHOW((long)shmat(-1, 0, 0));
    return 0;
}
static int set;
static int operate(int number, int change, int flags) {
    struct sembuf one = {number, change, flags}; return semop(set, &one, 1);
}
static int with_undo(void) { SHOW(operate(0, -2, SEM_UNDO)); SHOW(operate(1, 3, SEM_UNDO)); SHOW(semctl(set, 0, GETVAL)); return 0; }
static void interrupted(int number) { (void)number; }
static int semaphores(void) {
    unsigned short all[3] = {5, 0, 1}; struct semid_ds told; set = semget(KEY, 3, IPC_CREAT | 0600);
    SHOW(semctl(set, 0, SETALL, all)); in_child(with_undo);
    for (int at = 0; at < 3; at++) { SHOW(semctl(set, at, GETVAL)); SHOW(semctl(set, at, GETPID) == getpid()); }
    struct sembuf both[] = {{0, -1, 0}, {1, -1, IPC_NOWAIT}}; SHOW(semop(set, both, 2)); SHOW(semctl(set, 0, GETVAL));
    both[1].sem_op = 0; SHOW(semop(set, both, 2)); SHOW(semctl(set, 0, GETVAL));
    SHOW(operate(0, 32767, 0)); SHOW(operate(3, 1, 0)); SHOW(operate(1, -1, IPC_NOWAIT)); SHOW(operate(2, 0, IPC_NOWAIT));
    struct timespec soon = {0, 1000000}; struct sembuf take = {1, -1, 0}; SHOW(semtimedop(set, &take, 1, &soon));
    int ends[2]; pipe(ends); fflush(stdout);
    for (int child = 0; child < 3; child++) if (!fork()) {
        usleep(30000 * child); operate(1, child == 0 ? -2 : -1, 0); write(ends[1], &"abc"[child], 1); _exit(0);
    }
    usleep(250000); SHOW(semctl(set, 1, GETNCNT)); SHOW(semctl(set, 1, GETZCNT));
    SHOW(operate(1, 1, 0)); usleep(20000); SHOW(semctl(set, 1, GETNCNT)); SHOW(operate(1, 1, 0)); usleep(20000); SHOW(operate(1, 1, 0));
    usleep(20000); SHOW(semctl(set, 1, SETVAL, 2)); usleep(20000);
    char order[4] = ""; read(ends[0], order, 3); for (int child = 0; child < 3; child++) wait(0);
    printf("%c %d\n", order[0], order[1] + order[2]); SHOW(semctl(set, 1, GETVAL));
    struct sigaction action = {.sa_handler = interrupted, .sa_flags = SA_RESTART}; sigaction(SIGALRM, &action, 0);
    ualarm(20000, 20000); SHOW(operate(1, -9, 0)); ualarm(0, 0); SHOW(semctl(set, 1, GETNCNT));
    SHOW(semctl(set, 0, GETALL, all)); printf("%d %d %d\n", all[0], all[1], all[2]);
    SHOW(semctl(set, 0, SETVAL, 40000)); SHOW(semctl(set, 5, GETVAL)); SHOW(semctl(set, 0, IPC_STAT, &told)); SHOW(told.sem_nsems);
    SHOW(semget(KEY, 4, 0)); SHOW(semget(KEY, 0, 0) == set); SHOW(semget(IPC_PRIVATE, 0, 0600)); SHOW(semget(IPC_PRIVATE, 40000, 0600));
    if (!fork()) { int result = operate(1, -9, 0); int error = errno; usleep(20000); printf("removed %d %d\n", result, error); fflush(stdout); _exit(0); }
    usleep(20000); SHOW(semctl(set, 0, IPC_RMID)); fflush(stdout); wait(0); SHOW(semctl(set, 0, IPC_RMID)); SHOW(operate(0, 1, 0));
    return 0;
}
static int queue;
struct letter { long type; char text[100]; };
static int replies(void) {
    struct letter got; long size = msgrcv(queue, &got, 100, 7, 0); printf("%ld %s\n", size, got.text);
    got.type = 8; strcpy(got.text, "reply"); return msgsnd(queue, &got, 6, 0);
}
static int queues(void) {
    struct letter made = {3, "three"}, got; struct msqid_ds told; queue = msgget(KEY, IPC_CREAT | 0600);
    SHOW(msgsnd(queue, &made, 6, 0)); made.type = 1; strcpy(made.text, "one"); SHOW(msgsnd(queue, &made, 4, 0));
    made.type = 2; strcpy(made.text, "two"); SHOW(msgsnd(queue, &made, 4, 0)); made.type = 0; SHOW(msgsnd(queue, &made, 4, 0));
    SHOW(msgctl(queue, IPC_STAT, &told)); SHOW(told.msg_qnum); SHOW(told.__msg_cbytes); SHOW(told.msg_qbytes); SHOW(told.msg_lspid == getpid());
    SHOW(msgrcv(queue, &got, 100, -2, 0)); puts(got.text); SHOW(msgrcv(queue, &got, 100, 3, MSG_EXCEPT)); puts(got.text);
    SHOW(msgrcv(queue, &got, 3, 0, 0)); SHOW(msgrcv(queue, &got, 3, 0, MSG_NOERROR)); SHOW(got.type); SHOW(msgrcv(queue, &got, 3, 0, IPC_NOWAIT));
    fflush(stdout); int child = fork(); if (!child) { int code = replies(); fflush(stdout); _exit(code); }
    made.type = 7; strcpy(made.text, "question"); SHOW(msgsnd(queue, &made, 9, 0)); SHOW(msgrcv(queue, &got, 100, 8, 0)); puts(got.text); waitpid(child, 0, 0);
    int sent = 0; while (!msgsnd(queue, &made, 100, IPC_NOWAIT)) sent++; printf("%d %d\n", sent, errno); fflush(stdout);
    if (!fork()) { usleep(20000); msgrcv(queue, &got, 100, 0, 0); _exit(0); }
    made.type = 9; SHOW(msgsnd(queue, &made, 100, 0)); wait(0);
    SHOW(msgsnd(queue, &made, 9000, 0)); SHOW(msgrcv(queue, &got, -1, 0, 0)); SHOW(msgctl(queue, IPC_STAT, &told)); SHOW(told.msg_qnum);
    told.msg_qbytes = 1000; SHOW(msgctl(queue, IPC_SET, &told)); SHOW(msgctl(queue, 99, 0));
    struct sigaction action = {.sa_handler = interrupted, .sa_flags = SA_RESTART}; sigaction(SIGALRM, &action, 0);
    ualarm(20000, 20000); SHOW(msgrcv(queue, &got, 100, 77, 0)); ualarm(0, 0);
    fflush(stdout); if (!fork()) { long result = msgrcv(queue, &got, 100, 77, 0); int error = errno; usleep(20000); printf("removed %ld %d\n", result, error); fflush(stdout); _exit(0); }
    usleep(20000); SHOW(msgctl(queue, IPC_RMID, 0)); fflush(stdout); wait(0); SHOW(msgsnd(queue, &made, 1, 0)); SHOW(msgget(KEY, 0));
    return 0;
}

static const char *executed_name;
static int tried(void) { char *none[] = {0}; execve(executed_name, none, none); return errno; }
static int busy(void) {  /* what is mapped to be written is not executed */
    int file = open("text", O_RDWR | O_CREAT, 0755); write(file, "#!/missing\n", 11); executed_name = "text"; SHOW(in_child(tried)); char *made = map_file(file, PAGE, BOTH, 0); close(file); SHOW(in_child(tried)); mprotect(made, PAGE, PROT_READ); SHOW(in_child(tried)); munmap(made, PAGE); SHOW(in_child(tried));
    file = open("text", O_RDONLY); made = map_file(file, PAGE, PROT_READ, 0); SHOW(in_child(tried)); close(file); SHOW(in_child(tried)); return made == 0;
}

#define CASE(name) {#name, name}
static const struct { const char *name; int (*body)(void); } CASES[] = {
    CASE(coherent), CASE(forked), CASE(left), CASE(killed), CASE(ends), CASE(moved), CASE(seals), CASE(aliases),
    CASE(executed), CASE(hello), CASE(limits),
    CASE(segments), CASE(semaphores), CASE(queues), CASE(busy),
};
int main(int argc, char **argv) {
    self = argv[0]; own_key = getpid();
    for (unsigned which = 0; which < sizeof CASES / sizeof *CASES; which++)
        if (argc > 1 && !strcmp(argv[1], CASES[which].name)) return CASES[which].body();
    return 99;
}
