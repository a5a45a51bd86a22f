/* A key that is there, a value of it, and a key that is not. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    HKEY key;
    char text[64] = "";
    DWORD size = sizeof text;
    LONG status = RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", 0, KEY_READ, &key);
    printf("open %ld\n", status);
    status = RegQueryValueExA(key, "ProductName", NULL, NULL, (BYTE *)text, &size);
    printf("query %ld %s\n", status, text);
    printf("absent %ld\n", RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Nobody", 0, KEY_READ, &key));
    return 0;
}
