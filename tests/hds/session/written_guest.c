/* Memory that changes without a store of the program's own: system calls, other processes, signals, mappings. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[64], page[4096] __attribute__((aligned(4096)));
static int ends[2];

__attribute__((noinline)) void done(void *place) { asm volatile("" ::"r"(place) : "memory"); }

static void *send(void *unused) {
    usleep(10);
    write(ends[1], "words", 5);
    return unused;
}

static void handle(int number, siginfo_t *information, void *context) { done(information); }

int main(int argc, char **argv) {
    pthread_t thread;
    struct utsname names;
    for (const char *part = argv[1]; *part; part++) switch (*part) {
    case 'r': /* read, of which nothing waits */
        pipe(ends);
        write(ends[1], "words", 5);
        read(ends[0], text, 5);
        done(text);
        break;
    case 'w': /* read, which waits for another thread */
        pipe(ends);
        pthread_create(&thread, 0, send, 0);
        read(ends[0], text, 5);
        done(text);
        break;
    case 'u': /* a structure that the kernel fills */
        uname(&names);
        done(names.sysname);
        break;
    case 's': { /* memory that a child shares under another address */
        char *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        shared[0] = 1;
        if (fork() == 0) {
            char *other = mremap(shared, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, shared + (16 << 20));
            other[0] = 2;
            _exit(0);
        }
        wait(0);
        done(shared);
        break;
    }
    case 'c': /* a child that reads into its own copy */
        pipe(ends);
        write(ends[1], "words", 5);
        text[0] = 1;
        if (fork() == 0) {
            read(ends[0], text, 5);
            _exit(0);
        }
        wait(0);
        done(text);
        break;
    case 'v': { /* process_vm_writev */
        struct iovec from = {"words", 5}, to = {text, 5};
        if (fork() == 0) {
            process_vm_writev(getppid(), &from, 1, &to, 1, 0);
            _exit(0);
        }
        wait(0);
        done(text);
        break;
    }
    case 'h': /* a signal's frame */
        sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = handle, .sa_flags = SA_SIGINFO}, 0);
        raise(SIGUSR1);
        break;
    case 'm': /* a mapping in the place of another */
        page[8] = 1;
        mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        done(page + 8);
        break;
    case 'd': /* memory that is given up */
        page[8] = 1;
        madvise(page, 4096, MADV_DONTNEED);
        done(page + 8);
        break;
    case 'o': /* a store of several bytes that begins before the one that is asked for */
        *(volatile long *)text = 0x0102030405060708;
        done(text + 5);
        break;
    case 'e': /* another program, with the same addresses */
        text[argc == 2] = 1;
        if (argc == 2) execl("/proc/self/exe", "guest", "e", "again", (char *)0);
        asm volatile("int3" ::"D"(text));
        break;
    }
    return 0;
}
