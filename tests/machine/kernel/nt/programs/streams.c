/* What GetFileInformationByHandleEx says of the streams, the compression and the alignment of a plain file. */
#define _WIN32_WINNT 0x0a00
#include <stdio.h>
#include <windows.h>

static BYTE data[256];

static void ask(HANDLE file, int kind, const char *name, DWORD size) {
    BOOL is_told = GetFileInformationByHandleEx(file, kind, data, size);
    printf("%s %d %lu\n", name, is_told, is_told ? 0 : GetLastError());
}

int main(void) {
    FILE_STREAM_INFO *stream = (void *)data;
    FILE_COMPRESSION_INFO *compression = (void *)data;
    DWORD high = 9, low, written;
    FILE_ID_128 id;
    BY_HANDLE_FILE_INFORMATION told;
    HANDLE file = CreateFileW(L"s.txt", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    WriteFile(file, "hello", 5, &written, NULL);
    ask(file, FileStreamInfo, "stream", sizeof data);
    printf("%lu %lu %lld %lld %.7ls\n", stream->NextEntryOffset, stream->StreamNameLength, stream->StreamSize.QuadPart,
           stream->StreamAllocationSize.QuadPart, stream->StreamName);
    ask(file, FileStreamInfo, "stream in 30 bytes", 30);
    ask(file, FileStreamInfo, "stream in 8 bytes", 8);
    ask(file, FileCompressionInfo, "compression", 16);
    printf("%lld %d\n", compression->CompressedFileSize.QuadPart, compression->CompressionFormat);
    ask(file, FileAlignmentInfo, "alignment", 4);
    printf("%d\n", data[0]);
    ask(file, FileNameInfo, "name in 4 bytes", 4);
    low = GetCompressedFileSizeW(L"s.txt", &high);
    printf("compressed %lu %lu\n", low, high);
    ask(file, FileIdInfo, "id", sizeof(FILE_ID_INFO));
    id = ((FILE_ID_INFO *)data)->FileId;
    CloseHandle(file);
    file = CreateFileW(L"S.TXT", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    ask(file, FileIdInfo, "id", sizeof(FILE_ID_INFO));
    printf("same %d\n", !memcmp(&id, &((FILE_ID_INFO *)data)->FileId, sizeof id));
    GetFileInformationByHandle(file, &told);
    printf("told %d\n", !memcmp(&id, &told.nFileIndexLow, 4) && !memcmp((char *)&id + 4, &told.nFileIndexHigh, 4));
    CloseHandle(file);
    DeleteFileW(L"s.txt");
    file = CreateFileW(L"s.txt", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    ask(file, FileIdInfo, "id", sizeof(FILE_ID_INFO));
    printf("same %d\n", !memcmp(&id, &((FILE_ID_INFO *)data)->FileId, sizeof id));
    CloseHandle(file);
    DeleteFileW(L"s.txt");
    return 0;
}
