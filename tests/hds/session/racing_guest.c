/* Threads that race for one word: what comes out tells of every switch between them. */
#include <pthread.h>
#include <stdio.h>

static volatile unsigned long sum;
static volatile int live = 3;

__attribute__((noinline)) void tick(long who) { sum = sum * 31 + who; }

static void *work(void *argument) {
    long me = (long)argument;
    for (int i = 0; i < 500; i++) {
        for (volatile int j = 0; j < 7 + me; j++)
            ;
        tick(me);
    }
    __sync_fetch_and_sub(&live, 1);
    return 0;
}

int main(void) {
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(threads + i, 0, work, (void *)(i + 1));
    while (live) sum += 5;
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    printf("sum %lx\n", sum);
    return 0;
}
