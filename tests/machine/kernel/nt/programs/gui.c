/* Windows and graphics, of which there are none: calls fail, and the program goes on. */
#include <stdio.h>
#include <windows.h>

int main(void) {
    WNDCLASSA class = {.lpfnWndProc = DefWindowProcA, .lpszClassName = "own"};
    printf("box %d\n", MessageBoxA(NULL, "text", "title", MB_OK) == IDOK);
    printf("class %d\n", RegisterClassA(&class));
    printf("window %d\n", CreateWindowExA(0, "own", "title", 0, 0, 0, 10, 10, NULL, NULL, NULL, NULL) != NULL);
    printf("dc %d\n", GetDC(NULL) != NULL);
    printf("found %d\n", FindWindowA("Shell_TrayWnd", NULL) != NULL);
    printf("foreground %d\n", GetForegroundWindow() != NULL);
    return 0;
}
