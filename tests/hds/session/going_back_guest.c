/* Threads that write where others read, a file that is read in pieces: what going back has to bring back. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static volatile long shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char order[1024];
static volatile int at;

__attribute__((noinline)) void note(int who) { order[at++ & 1023] = 'a' + who; }

static void *work(void *argument) {
    long me = (long)argument;
    for (int i = 0; i < 60; i++) {
        for (volatile int j = 0; j < 40 + 13 * (int)me; j++) shared += j ^ me;
        pthread_mutex_lock(&lock);
        note((int)me);
        pthread_mutex_unlock(&lock);
        if (i % 20 == 10) usleep(100 * (me + 1));
    }
    return 0;
}

__attribute__((noinline)) void piece(char *text) { write(1, text, 5); }

int main(void) {
    pthread_t threads[3];
    char text[8] = {0};
    int file = open("/data", O_RDONLY);
    for (long i = 0; i < 3; i++) pthread_create(threads + i, 0, work, (void *)i);
    while (read(file, text, 5) == 5) piece(text);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    unsigned long sum = 0;
    for (int i = 0; i < 1024; i++) sum = sum * 31 + order[i];
    printf("%lx %ld\n", sum, shared);
    return 0;
}
