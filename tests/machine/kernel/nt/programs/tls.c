/* TLS callbacks, slots, fiber-local storage and fibers. */
#include <stdio.h>
#include <windows.h>
static int calls[4];
static void NTAPI cb(PVOID h, DWORD r, PVOID x) {
    if (r < 4)
        calls[r]++;
}
#ifdef __x86_64__
__attribute__((section(".CRT$XLF"), used)) PIMAGE_TLS_CALLBACK my_tls = cb;
#endif
static __thread int tv = 5;
static VOID CALLBACK flsdone(PVOID p) { printf("fls done %d\n", (int)(INT_PTR)p); }
static DWORD fi, ti;
static DWORD WINAPI th(void *p) {
    tv += (int)(INT_PTR)p;
    TlsSetValue(ti, (void *)(INT_PTR)tv);
    FlsSetValue(fi, (void *)(INT_PTR)(tv * 10));
    return (DWORD)(INT_PTR)TlsGetValue(ti);
}
static void *mainf;
static VOID CALLBACK fib(void *p) {
    for (int i = 0; i < 3; i++) {
        printf("fiber %d %d\n", i, (int)(INT_PTR)FlsGetValue(fi));
        SwitchToFiber(mainf);
    }
}
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    ti = TlsAlloc();
    fi = FlsAlloc(flsdone);
    FlsSetValue(fi, (void *)7);
    HANDLE t[2];
    for (int i = 0; i < 2; i++) {
        t[i] = CreateThread(0, 0, th, (void *)(INT_PTR)(i + 1), 0, 0);
        WaitForSingleObject(t[i], INFINITE);
        DWORD c;
        GetExitCodeThread(t[i], &c);
        printf("thread %lu\n", c);
    }
    printf("main %d tls %p callbacks attach %d thread %d %d\n", tv, TlsGetValue(ti), calls[1], calls[2], calls[3]);
    mainf = ConvertThreadToFiber(0);
    void *f = CreateFiber(0, fib, 0);
    for (int i = 0; i < 3; i++)
        SwitchToFiber(f);
    DeleteFiber(f);
    printf("free %d %d", TlsFree(ti), FlsFree(fi));
    BOOL r = TlsSetValue(ti, 0);
    printf(" after %d\n", r);
    DWORD k[1200];
    int n = 0;
    while (n < 1200 && (k[n] = TlsAlloc()) != TLS_OUT_OF_INDEXES)
        n++;
    printf("slots %d err %lu\n", n >= 1050, GetLastError());
    return 0;
}
