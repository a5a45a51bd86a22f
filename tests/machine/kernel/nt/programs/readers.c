/* A key that was opened to read is not written to. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    HKEY key, reader;
    char text[8];
    DWORD size = sizeof text;
    RegCreateKeyExA(HKEY_CURRENT_USER, "Software\\Mine", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL);
    printf("%ld\n", RegSetValueExA(key, "v", 0, REG_SZ, (const BYTE *)"text", 5));
    printf("%ld\n", RegOpenKeyExA(HKEY_CURRENT_USER, "Software\\Mine", 0, KEY_READ, &reader));
    printf("%ld\n", RegSetValueExA(reader, "v", 0, REG_SZ, (const BYTE *)"none", 5));
    printf("%ld\n", RegDeleteValueA(reader, "v"));
    printf("%ld", RegQueryValueExA(reader, "v", NULL, NULL, (BYTE *)text, &size));
    printf(" %s\n", text);
    printf("%ld\n", RegDeleteValueA(key, "v"));
    return 0;
}
