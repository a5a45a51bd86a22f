/* Views outlive the handles behind them, copies are their own, and handles do what they were opened for. */
#include <stdio.h>
#include <windows.h>

static HANDLE file;
static DWORD count;

static HANDLE open_it(DWORD access, DWORD how)
{
    return CreateFileA("C:\\views.dat", access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how, 0, NULL);
}

static void says(const char *what, BOOL done)
{
    printf("%s: %lu\n", what, done ? 0 : GetLastError());
}

static void shows(const char *what)
{
    char text[8] = "";
    file = open_it(GENERIC_READ, OPEN_EXISTING);
    ReadFile(file, text, 7, &count, NULL);
    printf("%s: %s\n", what, text);
    CloseHandle(file);
}

int main(void)
{
    MEMORY_BASIC_INFORMATION run;
    char text[8] = "";
    file = open_it(GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS);
    HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0x20000, NULL);
    CloseHandle(file); /* before the first view */
    char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    char *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
    strcpy(view, "shared");
    strcpy(copy, "own");
    printf("%s %s\n", view, copy);
    VirtualQuery(copy, &run, sizeof run);
    printf("copy: allocated as %lx, type %lx\n", run.AllocationProtect, run.Type);
    says("offset", MapViewOfFile(section, FILE_MAP_READ, 0, 0x1000, 0) != NULL);
    says("too long", MapViewOfFile(section, FILE_MAP_READ, 0, 0x10000, 0x11000) != NULL);
    char *second = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0x10000, 0x10000);
    strcpy(second, "second");
    CloseHandle(section);
    says("unmap copy", UnmapViewOfFile(copy));
    says("unmap", UnmapViewOfFile(view));
    shows("file");

    file = open_it(GENERIC_READ, OPEN_EXISTING);
    says("write by a reader", WriteFile(file, "x", 1, &count, NULL));
    says("cut by a reader", SetEndOfFile(file));
    says("section to write by a reader", CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL) != NULL);
    section = CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 0, NULL);
    says("view to write of a section to read", MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) != NULL);
    CloseHandle(file);
    file = open_it(GENERIC_WRITE, OPEN_EXISTING);
    says("read by a writer", ReadFile(file, text, 1, &count, NULL));
    CloseHandle(file);
    file = open_it(FILE_APPEND_DATA, OPEN_EXISTING);
    says("read by one that appends", ReadFile(file, text, 1, &count, NULL));
    says("append", WriteFile(file, "x", 1, &count, NULL));
    printf("size %lx\n", GetFileSize(file, NULL));
    says("protect", SetHandleInformation(file, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE));
    says("close", CloseHandle(file));
    GetHandleInformation(file, &count);
    printf("flags %lx\n", count);
    SetHandleInformation(file, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0);
    says("close", CloseHandle(file));

    /* What is written by the file is seen in its views, and the other way round; what no view wrote is not put back. */
    file = CreateFileA("C:\\both.dat", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    for (int page = 0; page < 4; page++) {
        char bytes[4096];
        memset(bytes, 'a', sizeof bytes);
        WriteFile(file, bytes, sizeof bytes, &count, NULL);
    }
    section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    view[0] = 'V';
    SetFilePointer(file, 4, NULL, FILE_BEGIN);
    WriteFile(file, "FILE", 4, &count, NULL);
    SetFilePointer(file, 8192, NULL, FILE_BEGIN);
    WriteFile(file, "PAGE", 4, &count, NULL);
    printf("view: %.9s %.5s\n", view, view + 8192);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    ReadFile(file, text, 7, &count, NULL);
    printf("file: %.7s\n", text);
    SetFilePointer(file, 100, NULL, FILE_BEGIN);
    says("cut while it is mapped", SetEndOfFile(file));
    SetFilePointer(file, 20000, NULL, FILE_BEGIN);
    says("grow while it is mapped", SetEndOfFile(file));
    UnmapViewOfFile(view);
    says("cut while a section has it", (SetFilePointer(file, 100, NULL, FILE_BEGIN), SetEndOfFile(file)));
    CloseHandle(section);
    says("cut", SetEndOfFile(file));
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    ReadFile(file, text, 7, &count, NULL);
    printf("file: %.7s of %lu\n", text, GetFileSize(file, NULL));
    fflush(stdout);
    return 3; /* with a view that is still there */
}
