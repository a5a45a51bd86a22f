/* setjmp and longjmp, which unwinds the stack. */
#include <setjmp.h>
#include <stdio.h>

static jmp_buf place;

static void far_away(int depth)
{
    if (depth)
        far_away(depth - 1);
    longjmp(place, 42);
}

int main(void)
{
    int value = setjmp(place);
    if (!value)
        far_away(5);
    printf("longjmp %d\n", value);
    return 0;
}
