/* printf of the C library, which buffers what goes to a pipe. Exit code 5. */
#include <stdio.h>

int main(int argc, char **argv)
{
    (void)argv;
    printf("hello, %d args, ", argc);
    printf("printf\n");
    return 5;
}
