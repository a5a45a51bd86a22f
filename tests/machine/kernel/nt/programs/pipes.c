/* Pipes: anonymous ones between threads, named ones with their server and client in two threads, overlapped ones. */
#include <windows.h>
#include <stdio.h>

#define NAME "\\\\.\\pipe\\hds-test"

static void err(const char *what, BOOL fine)
{
    DWORD error = GetLastError();
    printf("%s %d", what, fine != 0);
    if (!fine)
        printf(" err %lu", error);
    printf("\n");
}

static DWORD WINAPI produce(void *pipe)
{
    DWORD n;
    Sleep(5);
    WriteFile(pipe, "one ", 4, &n, NULL);
    Sleep(5);
    WriteFile(pipe, "two", 3, &n, NULL);
    CloseHandle(pipe);
    return n;
}

static DWORD WINAPI pour(void *pipe)
{
    static char block[10000];
    DWORD n = 0;
    memset(block, 'x', sizeof block);
    WriteFile(pipe, block, sizeof block, &n, NULL);
    CloseHandle(pipe);
    return n;
}

static DWORD WINAPI ask(void *unused)
{
    char answer[32];
    DWORD n = 0, mode = PIPE_READMODE_MESSAGE;
    (void)unused;
    err("client waits", WaitNamedPipeA(NAME, 1000));
    HANDLE pipe = CreateFileA(NAME, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    err("client opens", pipe != INVALID_HANDLE_VALUE);
    err("client mode", SetNamedPipeHandleState(pipe, &mode, NULL, NULL));
    WriteFile(pipe, "question", 8, &n, NULL);
    BOOL fine = ReadFile(pipe, answer, 4, &n, NULL);
    printf("part %lu %.4s err %lu\n", n, answer, fine ? 0 : GetLastError());
    fine = ReadFile(pipe, answer, sizeof answer, &n, NULL);
    printf("rest %d %.*s\n", fine, (int)n, answer);
    fine = ReadFile(pipe, answer, sizeof answer, &n, NULL);
    printf("gone %d err %lu\n", fine, GetLastError());
    CloseHandle(pipe);
    return 3;
}

int main(void)
{
    HANDLE r, w, thread;
    DWORD n = 0, left = 0, all = 0;
    char text[64];
    setvbuf(stdout, NULL, _IONBF, 0);

    err("pipe", CreatePipe(&r, &w, NULL, 0));
    printf("type %lu %lu\n", GetFileType(r), GetFileType(w));
    err("peek", PeekNamedPipe(r, NULL, 0, NULL, &all, &left));
    printf("empty %lu\n", all);
    WriteFile(w, "hello", 5, &n, NULL);
    err("peek", PeekNamedPipe(r, text, 3, &n, &all, NULL));
    printf("%lu of %lu: %.3s\n", n, all, text);
    err("read", ReadFile(r, text, sizeof text, &n, NULL));
    printf("%lu %.5s\n", n, text);
    err("read the wrong end", ReadFile(w, text, 1, &n, NULL));
    thread = CreateThread(NULL, 0, produce, w, 0, NULL);
    while (ReadFile(r, text, sizeof text, &n, NULL))
        printf("got %lu %.*s\n", n, (int)n, text);
    err("end", FALSE);
    err("peek broken", PeekNamedPipe(r, NULL, 0, NULL, &all, NULL));
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(r);

    CreatePipe(&r, &w, NULL, 512);
    thread = CreateThread(NULL, 0, pour, w, 0, NULL);
    for (all = 0; ReadFile(r, text, sizeof text, &n, NULL); all += n)
        ;
    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &n);
    printf("poured %lu of %lu\n", all, n);
    CloseHandle(r);
    CreatePipe(&r, &w, NULL, 0);
    CloseHandle(r);
    err("write to nobody", WriteFile(w, "x", 1, &n, NULL));
    CloseHandle(w);

    err("no such pipe", CreateFileA(NAME, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) != INVALID_HANDLE_VALUE);
    err("no wait for it", WaitNamedPipeA(NAME, 10));
    HANDLE server = CreateNamedPipeA(NAME, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1, 100, 200,
                                     0, NULL);
    err("server", server != INVALID_HANDLE_VALUE);
    err("second", CreateNamedPipeA(NAME, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 0, 0, 0, NULL)
                      != INVALID_HANDLE_VALUE);
    err("write to none yet", WriteFile(server, "x", 1, &n, NULL));
    thread = CreateThread(NULL, 0, ask, NULL, 0, NULL);
    BOOL fine = ConnectNamedPipe(server, NULL);
    printf("connected %d\n", fine || GetLastError() == ERROR_PIPE_CONNECTED);
    err("busy", WaitNamedPipeA(NAME, 1));
    err("read", ReadFile(server, text, sizeof text, &n, NULL));
    printf("%.*s\n", (int)n, text);
    DWORD flags, outs, ins, most;
    err("info", GetNamedPipeInfo(server, &flags, &outs, &ins, &most));
    printf("flags %lx out %lu in %lu most %lu\n", flags, outs, ins, most);
    err("answer", WriteFile(server, "the answer", 10, &n, NULL));
    FlushFileBuffers(server);
    err("disconnect", DisconnectNamedPipe(server));
    WaitForSingleObject(thread, INFINITE);
    err("read again", ReadFile(server, text, 1, &n, NULL));
    CloseHandle(server);

    server = CreateNamedPipeA(NAME, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES,
                              0, 0, 0, NULL);
    OVERLAPPED over = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    err("overlapped", ConnectNamedPipe(server, &over));
    printf("not yet %lu\n", WaitForSingleObject(over.hEvent, 0));
    HANDLE client = CreateFileA(NAME, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    printf("now %lu %d\n", WaitForSingleObject(over.hEvent, 0), GetOverlappedResult(server, &over, &n, FALSE));
    err("later", ReadFile(server, text, sizeof text, NULL, &over));
    err("incomplete", GetOverlappedResult(server, &over, &n, FALSE));
    WriteFile(client, "late", 4, &n, NULL);
    err("complete", GetOverlappedResult(server, &over, &n, TRUE));
    printf("%lu %.4s\n", n, text);
    err("again", ReadFile(server, text, sizeof text, NULL, &over));
    err("cancel", CancelIo(server));
    err("cancelled", GetOverlappedResult(server, &over, &n, TRUE));
    CloseHandle(client);
    err("closed", ReadFile(server, text, sizeof text, NULL, &over));
    return 7;
}
