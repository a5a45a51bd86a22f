/* A breakpoint that nobody handles ends the program. */
#include <stdio.h>

int main(void)
{
    printf("before\n");
    fflush(stdout);
    __asm__ volatile("int3");
    printf("behind\n");
    return 0;
}
