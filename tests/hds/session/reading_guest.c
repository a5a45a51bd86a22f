/* Reads its standard input piece by piece, and asks how much is there. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char text[64];

__attribute__((noinline)) void piece(char *place, long count) { asm volatile("" ::"r"(place), "r"(count) : "memory"); }

int main(void) {
    int waiting = 0;
    long count;
    while ((count = read(0, text, 5)) > 0) {
        ioctl(0, FIONREAD, &waiting);
        text[count] = (char)waiting;
        piece(text, count);
    }
    piece(text, -1);
    return 0;
}
