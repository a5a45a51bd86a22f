/* Sparse files, and names of streams. */
#include <stdio.h>
#include <windows.h>
#include <winioctl.h>

static HANDLE file;

static void control(const char *name, DWORD code, void *data, DWORD size, void *buffer, DWORD length) {
    DWORD done = 99;
    BOOL fine = DeviceIoControl(file, code, data, size, buffer, length, &done, NULL);
    printf("%s %d %lu %lu\n", name, fine, fine ? 0 : GetLastError(), fine ? done : 0);
}

static void sparse(const char *when) {
    BY_HANDLE_FILE_INFORMATION told = {0};
    GetFileInformationByHandle(file, &told);
    printf("%s %lx\n", when, told.dwFileAttributes);
}

static HANDLE opened(const char *path, DWORD access, DWORD how) {
    HANDLE found = CreateFileA(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, how, 0, NULL);
    printf("%s %lu\n", path, found == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    return found;
}

int main(void) {
    DWORD done, flags;
    char text[16] = {0};
    FILE_SET_SPARSE_BUFFER no = {FALSE};
    FILE_ZERO_DATA_INFORMATION zeros = {{.QuadPart = 2}, {.QuadPart = 4}};
    FILE_ALLOCATED_RANGE_BUFFER asked = {{.QuadPart = 3}, {.QuadPart = 100}}, ranges[2];
    USHORT format = 9;
    GetVolumeInformationA("C:\\", NULL, 0, NULL, NULL, &flags, NULL, 0);
    printf("sparse %d streams %d\n", !!(flags & FILE_SUPPORTS_SPARSE_FILES), !!(flags & FILE_NAMED_STREAMS));
    file = opened("s.bin", GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS);
    WriteFile(file, "abcdef", 6, &done, NULL);
    sparse("before");
    control("set", FSCTL_SET_SPARSE, NULL, 0, NULL, 0);
    sparse("set");
    SetFileAttributesA("s.bin", FILE_ATTRIBUTE_HIDDEN);
    sparse("hidden");
    control("zero", FSCTL_SET_ZERO_DATA, &zeros, sizeof zeros, NULL, 0);
    zeros.FileOffset.QuadPart = 9;
    control("backwards", FSCTL_SET_ZERO_DATA, &zeros, sizeof zeros, NULL, 0);
    zeros.BeyondFinalZero.QuadPart = 1LL << 40;
    control("beyond", FSCTL_SET_ZERO_DATA, &zeros, sizeof zeros, NULL, 0);
    WriteFile(file, "g", 1, &done, NULL);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    ReadFile(file, text, 16, &done, NULL);
    printf("%lu:", done);
    for (DWORD at = 0; at < done; at++) printf(" %x", text[at]);
    printf("\n");
    control("ranges", FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof asked, ranges, sizeof ranges);
    printf("%lld %lld\n", ranges[0].FileOffset.QuadPart, ranges[0].Length.QuadPart);
    control("no room", FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof asked, ranges, 8);
    asked.FileOffset.QuadPart = 50;
    control("none", FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof asked, ranges, sizeof ranges);
    control("unset", FSCTL_SET_SPARSE, &no, sizeof no, NULL, 0);
    sparse("unset");
    control("compression", FSCTL_GET_COMPRESSION, NULL, 0, &format, sizeof format);
    control("reparse", FSCTL_GET_REPARSE_POINT, NULL, 0, text, sizeof text);
    control("unknown", 0x9fff0, NULL, 0, NULL, 0);
    CloseHandle(file);
    file = opened("s.bin", GENERIC_READ, OPEN_EXISTING);
    control("may not", FSCTL_SET_SPARSE, NULL, 0, NULL, 0);
    CloseHandle(file);

    opened("s.bin:stream", GENERIC_WRITE, CREATE_ALWAYS);
    opened("s.bin:stream:$DATA", GENERIC_READ, OPEN_EXISTING);
    CloseHandle(opened("s.bin::$data", GENERIC_READ, OPEN_EXISTING));
    CloseHandle(opened("new.bin::$DATA", GENERIC_WRITE, CREATE_NEW));
    CloseHandle(opened("new.bin", GENERIC_READ, OPEN_EXISTING));
    printf("%lx\n", GetFileAttributesA("s.bin:Zone.Identifier"));
    return 0;
}
