/* Imports a function of a DLL that may be missing, or may lack the function. */
#include <stdio.h>

__declspec(dllimport) int answer(void);

int main(void) {
    puts("begun");
    return answer();
}
