/* What becomes of a write whose buffer reaches a page that is not mapped, and of futexes in pages of all kinds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 32 };

static char *area, sink[1 << 20];

static struct { size_t readable, size, before; } cases[] = {
    {0, 10, 0}, {10, 20, 0}, {4000, 5000, 0}, {4096, 5000, 0}, {5000, 6000, 0}, {8192, 9000, 0}, {9000, 20000, 0},
    {5000, 6000, 10}, {1904, 6000, 10}, {1903, 6000, 10}, {6000, 8192, 10}, {4096, 8192, 10}, {4100, 4196, 10},
    {100, 200, 5000}, {9000, 9100, 5000}, {9000, 9100, 4096}, {70000, 80000, 0}, {65536, 80000, 0}, {20, 30, 1},
    {50000, 50100, 4000}, {50000, 50100, 3900},
};

static void shown(const char *what, ssize_t result) { printf("%s: %zd %d\n", what, result, result < 0 ? errno : 0); }

static void try(const char *what, int target, int source, int number) {
    ssize_t count, total = 0;
    if (cases[number].before) write(target, area, cases[number].before);
    printf("%zu of %zu behind %zu, ", cases[number].readable, cases[number].size, cases[number].before);
    shown(what, write(target, area + PAGES * PAGE - cases[number].readable, cases[number].size));
    if (source < 0) return;
    fcntl(source, F_SETFL, O_NONBLOCK);
    while ((count = read(source, sink, sizeof sink)) > 0) total += count;
    printf("  in it: %zd\n", total);
}

static void vectors(const char *what, int target, size_t first) {
    struct iovec rows[] = {{area, first}, {area + PAGES * PAGE - 5, 10}, {area, 10}};
    shown(what, writev(target, rows, 3));
}

static void futexes(const char *what, uint32_t *word) {
    static const int operations[] = {FUTEX_WAKE, FUTEX_WAIT, FUTEX_WAKE_BITSET, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP};
    struct timespec soon = {0, 1000};
    for (int i = 0; i < 5; i++) for (int flag = 0; flag <= FUTEX_PRIVATE_FLAG; flag += FUTEX_PRIVATE_FLAG) {
        int is_wait = operations[i] == FUTEX_WAIT;
        void *time = is_wait ? (void *)&soon : (void *)1;
        printf("%d ", operations[i] | flag);
        shown(what, syscall(SYS_futex, word, operations[i] | flag, 1, time, word + 1, operations[i] == FUTEX_WAKE_BITSET));
    }
}

int main(void) {
    int ends[2];
    setbuf(stdout, 0);
    area = mmap(0, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'a', PAGES * PAGE);
    munmap(area + PAGES * PAGE, PAGE);
    for (int i = 0; i < sizeof cases / sizeof *cases; i++) {
        pipe2(ends, O_NONBLOCK); try("pipe", ends[1], ends[0], i); close(ends[0]); close(ends[1]);
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
        try("stream", ends[1], ends[0], i); close(ends[0]); close(ends[1]);
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends);
        try("datagrams", ends[1], ends[0], i); close(ends[0]); close(ends[1]);
        int file = memfd_create("file", 0); try("file", file, -1, i); close(file);
    }
    int master = posix_openpt(O_RDWR | O_NOCTTY), terminal;
    grantpt(master); unlockpt(master);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
    for (int i = 0; i < 5; i++) try("terminal", terminal, master, i);
    int counter = eventfd(0, EFD_NONBLOCK);
    shown("counter", write(counter, area + PAGES * PAGE - 4, 8));
    pipe2(ends, O_NONBLOCK); vectors("10 into a pipe", ends[1], 10); vectors("a page into a pipe", ends[1], PAGE);
    int file = memfd_create("file", 0); vectors("10 into a file", file, 10);

    int readable = PROT_READ, both = PROT_READ | PROT_WRITE, own = MAP_PRIVATE | MAP_ANONYMOUS;
    futexes("constant", mmap(0, PAGE, readable, own, -1, 0));
    futexes("variable", mmap(0, PAGE, both, own, -1, 0));
    futexes("shared constant", mmap(0, PAGE, readable, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    futexes("refused", mmap(0, PAGE, PROT_NONE, own, -1, 0));
    uint32_t *written = mmap(0, PAGE, both, own, -1, 0);
    *written = 0;
    mprotect(written, PAGE, readable);
    futexes("once written", written);
    ftruncate(file, 2 * PAGE);
    futexes("constant of a file", mmap(0, PAGE, readable, MAP_PRIVATE, file, PAGE));
    futexes("shared constant of a file", mmap(0, PAGE, readable, MAP_SHARED, file, PAGE));
    return 0;
}
