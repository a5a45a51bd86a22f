/* Pseudoterminals, one line for each answer: a group is run natively and here, and must print the same. */

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SHOW(call) do { errno = 0; long result_ = (long)(call); show(__LINE__, result_); } while (0)

static void show(int line, long result) {
    if (result == -1) printf("%d: %s\n", line, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    else printf("%d: %ld\n", line, result);
}

static int master, slave;

static void make(void) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
}

static void text(const char *data, long size) {
    for (long each = 0; each < size; each++)
        if (isprint((unsigned char)data[each]) && data[each] != '\\') putchar(data[each]);
        else printf("\\%02x", (unsigned char)data[each]);
    putchar('\n');
}

/* What there is to read, without waiting longer than a moment. */
static void got(int fd) {
    char buffer[512];
    struct pollfd row = {fd, POLLIN, 0};
    usleep(3000);
    poll(&row, 1, 20);
    if (!(row.revents & (POLLIN | POLLHUP))) {
        printf("nothing %x\n", row.revents);
        return;
    }
    errno = 0;
    long size = read(fd, buffer, sizeof buffer);
    if (size < 0) printf("%s %x\n", strerrorname_np(errno), row.revents);
    else {
        printf("%x %ld ", row.revents, size);
        text(buffer, size);
    }
}

static void put(int fd, const char *data) {
    SHOW(write(fd, data, strlen(data)));
    usleep(3000);
}

static void names(void) {
    struct stat row;
    char name[64];
    int number = -1, locked = -1;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    SHOW(ioctl(master, TIOCGPTN, &number));
    printf("%d\n", !strncmp(ptsname(master), "/dev/pts/", 9) && atoi(ptsname(master) + 9) == number);
    SHOW(ioctl(master, TIOCGPTLCK, &locked));
    printf("%d\n", locked);
    SHOW(open(ptsname(master), O_RDWR | O_NOCTTY));
    SHOW(grantpt(master));
    SHOW(unlockpt(master));
    SHOW((slave = open(ptsname(master), O_RDWR | O_NOCTTY)) > 0);
    fstat(slave, &row);
    printf("%o %d %d\n", row.st_mode & S_IFMT, row.st_rdev == (136 << 8 | number), row.st_uid == geteuid());
    fstat(master, &row);
    printf("%o %lx\n", row.st_mode & S_IFMT, (long)row.st_rdev);
    SHOW(isatty(slave));
    SHOW(isatty(master));
    printf("%d\n", ttyname_r(slave, name, sizeof name) == 0 && !strcmp(name, ptsname(master)));
    SHOW(lseek(slave, 0, SEEK_CUR));
    SHOW(pread(slave, name, 1, 0));
    SHOW(ioctl(slave, TIOCGPTN, &number));
    int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    SHOW(peer > 0);
    put(peer, "peer\n");
    got(master);
    close(peer);
    SHOW(ioctl(master, 0x5499, 0));
    SHOW(open("/dev/pts/4099", O_RDWR));
    SHOW(fcntl(slave, F_GETFL));
    close(master);
    SHOW(access(name, F_OK));
    SHOW(write(slave, "x", 1));
    SHOW(read(slave, name, 1));
    struct pollfd poll_row = {slave, POLLIN | POLLOUT, 0};
    SHOW(poll(&poll_row, 1, 0));
    printf("%x\n", poll_row.revents);
    SHOW(isatty(slave));
}

static void settings(void) {
    struct termios present;
    struct winsize size = {0};
    make();
    SHOW(tcgetattr(slave, &present));
    printf("%x %x %x %x %x\n", present.c_iflag, present.c_oflag, present.c_cflag, present.c_lflag, present.c_line);
    for (int each = 0; each < 19; each++) printf("%02x ", present.c_cc[each]);
    printf("%d %d\n", (int)cfgetispeed(&present), (int)cfgetospeed(&present));
    SHOW(ioctl(slave, TIOCGWINSZ, &size));
    printf("%d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
    size = (struct winsize){24, 80, 1, 2};
    SHOW(ioctl(master, TIOCSWINSZ, &size));
    memset(&size, 0, sizeof size);
    SHOW(ioctl(slave, TIOCGWINSZ, &size));
    printf("%d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
    SHOW(tcgetattr(master, &present));
    printf("%x %x\n", present.c_lflag, present.c_oflag);
    cfmakeraw(&present);
    SHOW(tcsetattr(slave, TCSANOW, &present));
    memset(&present, 0, sizeof present);
    SHOW(tcgetattr(slave, &present));
    printf("%x %x %x %x\n", present.c_iflag, present.c_oflag, present.c_cflag, present.c_lflag);
    SHOW(tcflush(slave, TCIFLUSH));
    SHOW(tcflush(slave, 7));
    SHOW(tcdrain(slave));
    SHOW(tcsendbreak(slave, 0));
    SHOW(tcgetpgrp(slave));
    SHOW(tcgetsid(slave));
    SHOW(ioctl(master, TIOCGPGRP, &(int){0}));
}

static void canonical(void) {
    int count;
    make();
    got(slave);
    put(master, "one\n");
    got(master);
    got(slave);
    put(master, "half");
    got(slave);
    got(master);
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d\n", count);
    put(master, " line\rnext\n");
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d\n", count);
    got(slave);
    got(slave);
    got(master);
    put(master, "abx\x7f""c\n");
    got(master);
    got(slave);
    put(master, "two words\x17three\n");
    got(master);
    got(slave);
    put(master, "all\x15rest\n");
    got(master);
    got(slave);
    put(master, "a\x01\x1b""b\x7f\x7f\n");
    got(master);
    got(slave);
    put(master, "tab\there\x7f\x7f\x7f\x7f\x7f!\n");
    got(master);
    got(slave);
    put(master, "\x16\x03literal\x16\x04\n");
    got(master);
    got(slave);
    put(master, "again\x12\n");
    got(master);
    got(slave);
    put(master, "end\x04");
    got(master);
    got(slave);
    put(master, "\x04");
    got(slave);
    put(master, "long line\n");
    char some[4] = "";
    SHOW(read(slave, some, 3));
    printf("%s\n", some);
    got(slave);
    got(master);
    put(slave, "out\n\tput\r\n");
    got(master);
    put(master, "\x13");
    put(master, "\x11");
    put(slave, "x");
    got(master);
    struct termios other;
    tcgetattr(slave, &other);
    other.c_lflag &= ~ECHO;
    tcsetattr(slave, TCSANOW, &other);
    put(master, "silent\x7f\n");
    got(master);
    got(slave);
    other.c_lflag |= ECHONL;
    tcsetattr(slave, TCSANOW, &other);
    put(master, "secret\n");
    got(master);
    got(slave);
    other.c_lflag = (other.c_lflag | ECHO) & ~(ECHOE | ECHOKE | ECHOCTL);
    other.c_iflag |= INLCR | IGNCR;
    other.c_oflag = OPOST | OCRNL | XTABS;
    tcsetattr(slave, TCSAFLUSH, &other);
    put(master, "ab\x7f""c\x15""d\r\n\x01\x04");
    got(master);
    got(slave);
    put(slave, "a\tb\rc\n");
    got(master);
}

static void raw(void) {
    struct termios other;
    make();
    tcgetattr(slave, &other);
    cfmakeraw(&other);
    tcsetattr(slave, TCSANOW, &other);
    put(master, "a\x03\r\n\x7f");
    got(slave);
    got(master);
    put(slave, "b\n");
    got(master);
    other.c_cc[VMIN] = 0;
    tcsetattr(slave, TCSANOW, &other);
    char buffer[16];
    SHOW(read(slave, buffer, 16));
    other.c_cc[VTIME] = 1;
    tcsetattr(slave, TCSANOW, &other);
    SHOW(read(slave, buffer, 16));
    put(master, "xy");
    SHOW(read(slave, buffer, 16));
    other.c_cc[VMIN] = 3, other.c_cc[VTIME] = 0;
    tcsetattr(slave, TCSANOW, &other);
    put(master, "12");
    struct pollfd row = {slave, POLLIN, 0};
    SHOW(poll(&row, 1, 10));
    put(master, "3");
    SHOW(poll(&row, 1, 10));
    SHOW(read(slave, buffer, 16));
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    SHOW(read(slave, buffer, 16));
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    SHOW(read(master, buffer, 16));
    int on = 1;
    SHOW(ioctl(master, TIOCPKT, &on));
    put(slave, "packet");
    got(master);
    close(slave);
    got(master);
    SHOW(read(master, buffer, 16));
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    SHOW(read(master, buffer, 16));
}

static volatile sig_atomic_t last;

static void noted(int number) {
    last = number;
}

static void jobs(void) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    fflush(stdout);
    pid_t leader = fork();
    if (!leader) {
        for (int each = 1; each < 32; each++)
            if (each != SIGKILL && each != SIGSTOP && each != SIGCHLD && each != SIGTTIN && each != SIGTTOU) signal(each, noted);
        SHOW(open("/dev/tty", O_RDWR));
        setsid();
        SHOW(open("/dev/tty", O_RDWR));
        slave = open(ptsname(master), O_RDWR);
        int own;
        SHOW((own = open("/dev/tty", O_RDWR)) > 0);
        SHOW(tcgetpgrp(slave) == getpid());
        SHOW(tcgetsid(own) == getpid());
        SHOW(isatty(own));
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        put(master, "x\x03");
        usleep(20000);
        printf("signal %d\n", last);
        got(master);
        put(master, "\x1c");
        usleep(20000);
        printf("signal %d\n", last);
        got(master);
        struct winsize size = {3, 4, 0, 0};
        ioctl(slave, TIOCSWINSZ, &size);
        usleep(20000);
        printf("signal %d\n", last);
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            setpgid(0, 0);
            char buffer[8];
            SHOW(read(slave, buffer, 8));
            SHOW(tcsetpgrp(slave, getpgrp()));
            fflush(stdout);
            _exit(5);
        }
        setpgid(child, child);
        int status;
        waitpid(child, &status, WUNTRACED);
        printf("stopped %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
        SHOW(tcsetpgrp(slave, child));
        SHOW(tcgetpgrp(slave) == child);
        put(master, "go\n");
        fflush(stdout);
        kill(-child, SIGCONT);
        waitpid(child, &status, WUNTRACED);
        printf("ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        signal(SIGTTOU, SIG_IGN);
        SHOW(tcsetpgrp(slave, getpid()));
        SHOW(tcsetpgrp(slave, 999999));
        SHOW(tcsetpgrp(slave, -3));
        SHOW(ioctl(own, TIOCNOTTY));
        usleep(20000);
        printf("signal %d\n", last);
        SHOW(open("/dev/tty", O_RDWR));
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        SHOW(tcgetpgrp(slave) == getpid());
        last = 0;
        close(master);
        write(1, "waits\n", 6);
        for (int each = 0; each < 100 && !last; each++) usleep(10000);
        usleep(10000);
        printf("hung up %d\n", last);
        SHOW(open("/dev/tty", O_RDWR));
        SHOW(read(slave, &size, 1));
        fflush(stdout);
        _exit(0);
    }
    usleep(600000);
    fflush(stdout);
    close(master);
    int status;
    waitpid(leader, &status, 0);
    printf("%x\n", status);
    make();
    leader = fork();
    if (!leader) {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        if (!fork()) {
            signal(SIGHUP, noted);
            for (int each = 0; each < 100 && !last; each++) usleep(5000);
            printf("after its leader %d\n", last);
            SHOW(open("/dev/tty", O_RDWR));
            _exit(0);
        }
        usleep(20000);
        _exit(0);
    }
    waitpid(leader, &status, 0);
    usleep(400000);
}

static struct { const char *name; void (*run)(void); } groups[] = {
    {"names", names}, {"settings", settings}, {"canonical", canonical}, {"raw", raw}, {"jobs", jobs},
};

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 1 << 12);
    signal(SIGHUP, SIG_IGN);
    for (unsigned each = 0; each < sizeof groups / sizeof *groups; each++)
        if (argc > 1 && !strcmp(argv[1], groups[each].name)) groups[each].run();
    return 0;
}
