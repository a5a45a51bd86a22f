/* What is beyond the emulated system: a socket and a child process, which both fail. */
#include <stdio.h>
#include <winsock2.h>
#include <windows.h>

int main(void)
{
    char line[] = "C:\\prog\\reaches.exe";
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION made;
    WSADATA data;
    printf("started %d\n", WSAStartup(0x202, &data));
    printf("socket %d\n", socket(AF_INET, SOCK_STREAM, 0) != INVALID_SOCKET);
    printf("process %d\n", CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &made));
    printf("error %lu\n", GetLastError());
    return 0;
}
