/* Calls through the C library, by functions that have no frame pointers. */
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}
__attribute__((noinline)) int inner(int *v, int n) {
    qsort(v, n, sizeof *v, compare);
    return v[0];
}
__attribute__((noinline)) int outer(int n) {
    int v[5] = {5, 4, n, 2, 1};
    return inner(v, 5) + 1;
}
int main(int argc, char **argv) {
    printf("%d\n", outer(argc));
    return 0;
}
