/* The program that the examples here watch: its first argument says what it does. gcc -o subject subject.c */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const unsigned char packed[] = {0xe2, 0x70, 0x5a, 0x5a, 0x5a, 0x99}; /* mov eax, 42; ret; each byte ^ 0x5a */

static void say(const char *text) { write(1, text, strlen(text)); }

__attribute__((noinline)) int leaf(int n) { return n * 3 + 1; }
__attribute__((noinline)) int parse(int n) { return n > 2 ? leaf(n) + leaf(n - 1) : n; }
__attribute__((noinline)) int work(int n) { return n ? parse(n) + work(n - 1) : 0; }

static void files(void) {
    int fd = open("/tmp/notes", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
    write(fd, "note\n", 5);
    close(fd);
    open("/nowhere/at/all", O_RDONLY | O_DIRECTORY);
    mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unlink("/tmp/notes");
}

static void tree(void) {
    if (fork() == 0) {
        if (fork() == 0) {
            close(open("/tmp/grandchild", O_WRONLY | O_CREAT, 0600));
            _exit(0);
        }
        wait(0);
        execl("/bin/cat", "cat", "/tmp/grandchild", (char *)0);
    }
    wait(0);
    close(open("/tmp/parent", O_WRONLY | O_CREAT, 0600));
}

static void bot(void) {
    struct sockaddr_in to = {AF_INET, htons(4444)};
    inet_pton(AF_INET, "192.0.2.10", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)&to, sizeof to)) _exit(1);
    char order[64];
    send(fd, "hello id=7\n", 11, 0);
    int size = recv(fd, order, sizeof order - 1, 0);
    order[size > 0 ? size : 0] = 0;
    say("ordered: ");
    say(order);
    send(fd, "done\n", 5, 0);
    close(fd);
}

static void unpack(void) {
    unsigned char *code = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < sizeof packed; i++) code[i] = packed[i] ^ 0x5a;
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    printf("%d\n", ((int (*)(void))code)());
}

static void suspicious(void) {
    char status[4096] = "";
    int debugged = ptrace(PTRACE_TRACEME, 0, 0, 0) < 0;
    int fd = open("/proc/self/status", O_RDONLY);
    read(fd, status, sizeof status - 1);
    char *tracer = strstr(status, "TracerPid:\t");
    debugged |= tracer && atoi(tracer + 11) != 0;
    say(debugged ? "a debugger\n" : "no debugger\n");
}

static void date(void) {
    time_t now = time(0);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d\n", gmtime(&now));
    say(text);
}

static void destroy(void) {
    close(open("/tmp/precious", O_WRONLY | O_CREAT, 0600));
    say(unlink("/tmp/precious") ? "still there\n" : "gone\n");
    say(rename("/tmp/precious", "/tmp/other") ? "not moved\n" : "moved\n");
}

static void heap(void) {
    char *volatile a = malloc(100), *volatile b = calloc(3, 16);
    a = realloc(a, 5000);
    free(a);
    free(b);
}

static void environment(void) {
    struct utsname names;
    uname(&names);
    say(strcmp(names.nodename, "lab") ? "the wrong machine\n" : "the right machine\n");
    say(geteuid() ? "a user\n" : "root\n");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"files", files}, {"tree", tree}, {"bot", bot}, {"unpack", unpack}, {"suspicious", suspicious},
                 {"date", date}, {"destroy", destroy}, {"heap", heap}, {"environment", environment}};
    for (unsigned i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name)) modes[i].run();
    return argc > 1 || work(5) == 72 ? 0 : 1;
}
