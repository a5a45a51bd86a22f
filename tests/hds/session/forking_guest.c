/* A parent that writes a number of its own before it forks and afterwards, and children that do later: one
   has memory of its own, one its parent's. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int number;

__attribute__((noinline)) void set(int value) { number = value; }

int main(void) {
    set(1);
    int child = fork();
    if (child == 0) {
        for (volatile int i = 0; i < 20000; i++);
        set(4);
        set(5);
        _exit(number);
    }
    set(2);
    set(3);
    wait(0);
    if (vfork() == 0) {
        set(6);
        _exit(0);
    }
    wait(0);
    puts("over");
    return 0;
}
