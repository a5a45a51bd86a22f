/* A program that does a little of everything, for the scripts beside this file; in the folder c/prog as activity.exe:
 *     x86_64-w64-mingw32-gcc -O1 -static examples/windows/activity.c -o c/prog/activity.exe */
#include <stdio.h>
#include <windows.h>

typedef LONG(WINAPI *Control)(HANDLE, HANDLE, void *, void *, void *, ULONG, void *, ULONG, void *, ULONG);
#define AFD_CONNECT 0x12007

__declspec(dllexport) volatile int counter;
__declspec(dllexport) __attribute__((noinline)) int licensed(int days) { return days < 30; }

static void files(void) {
    char text[32] = "";
    DWORD count;
    HANDLE file = CreateFileA("note.txt", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    WriteFile(file, "a line of text", 14, &count, NULL);
    SetFilePointer(file, 2, NULL, FILE_BEGIN);
    ReadFile(file, text, 4, &count, NULL);
    CloseHandle(file);
    printf("file %s %d\n", text, DeleteFileA("note.txt"));
}

static void memory(void) {
    DWORD old;
    char *page = VirtualAlloc(NULL, 0x3000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    VirtualProtect(page, 0x1000, PAGE_EXECUTE_READ, &old);
    printf("memory %d\n", VirtualFree(page, 0, MEM_RELEASE));
}

static void registry(void) {
    HKEY key;
    char text[64] = "";
    DWORD size = sizeof text, number = 7;
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "Software\\Microsoft\\Windows NT\\CurrentVersion", 0, KEY_READ, &key);
    RegQueryValueExA(key, "ProductName", NULL, NULL, (BYTE *)text, &size);
    RegCloseKey(key);
    RegCreateKeyExA(HKEY_CURRENT_USER, "Software\\Activity", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL);
    RegSetValueExA(key, "Runs", 0, REG_DWORD, (BYTE *)&number, sizeof number);
    RegCloseKey(key);
    printf("registry %s\n", text);
}

/* What connect() asks of the socket driver: a sockaddr_in stands at 18h, behind flags and handles. */
static void network(void) {
    Control control = (Control)(void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtDeviceIoControlFile");
    HANDLE device = GetStdHandle(STD_OUTPUT_HANDLE);
    unsigned short ports[] = {80, 443};
    for (int i = 0; i < 2; i++) {
        unsigned char asked[0x28] = {[0x18] = 2, [0x1a] = ports[i] >> 8, [0x1b] = ports[i] & 0xff, 10, 0, 0, 1};
        long long status[2];
        LONG result = control(device, NULL, NULL, NULL, status, AFD_CONNECT, asked, sizeof asked, NULL, 0);
        printf("connect %u %s\n", ports[i], result == (LONG)0xC0000022 ? "access denied" : "failed");
    }
}

static void sleeps(void) {
    LARGE_INTEGER before, after;
    QueryPerformanceCounter(&before);
    Sleep(3600000);
    QueryPerformanceCounter(&after);
    printf("slept %lld s\n", (after.QuadPart - before.QuadPart) / 10000000);
}

int main(void) {
    files();
    memory();
    registry();
    network();
    sleeps();
    for (int i = 0; i < 3; i++) counter += 5;
    printf("counter %d, licensed %d\n", counter, licensed(31));
    return 0;
}
