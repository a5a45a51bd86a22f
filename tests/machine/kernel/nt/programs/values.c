/* The registry: keys and values are made, changed, listed and deleted. */
#include <windows.h>
#include <stdio.h>

int main(void)
{
    HKEY key, sub;
    DWORD how, kind, size, number = 7;
    char text[32], name[32];
    printf("create %ld", RegCreateKeyExA(HKEY_CURRENT_USER, "Software\\Hds", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, &how));
    printf(" how %lu\n", how);
    printf("set %ld", RegSetValueExA(key, "text", 0, REG_SZ, (const BYTE *)"value", 6));
    printf(" %ld\n", RegSetValueExA(key, "number", 0, REG_DWORD, (const BYTE *)&number, 4));
    size = sizeof text;
    printf("query %ld", RegQueryValueExA(key, "TEXT", NULL, &kind, (BYTE *)text, &size));
    printf(" kind %lu size %lu %s\n", kind, size, text);
    size = 2;
    printf("short %ld", RegQueryValueExA(key, "text", NULL, NULL, (BYTE *)text, &size));
    printf(" size %lu\n", size);
    RegCreateKeyExA(key, "inner", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &sub, &how);
    RegCloseKey(sub);
    size = sizeof name;
    printf("sub key %ld", RegEnumKeyExA(key, 0, name, &size, NULL, NULL, NULL, NULL));
    printf(" %s end %ld\n", name, (size = 32, RegEnumKeyExA(key, 1, name, &size, NULL, NULL, NULL, NULL)));
    for (DWORD i = 0; size = sizeof name, !RegEnumValueA(key, i, name, &size, NULL, &kind, NULL, NULL); i++)
        printf("value %s %lu\n", name, kind);
    printf("delete %ld", RegDeleteValueA(key, "text"));
    printf(" again %ld\n", RegDeleteValueA(key, "text"));
    printf("full key %ld", RegDeleteKeyA(HKEY_CURRENT_USER, "Software\\Hds"));
    printf(" inner %ld", RegDeleteKeyA(key, "inner"));
    printf(" outer %ld", RegDeleteKeyA(HKEY_CURRENT_USER, "Software\\Hds"));
    printf(" open %ld\n", RegOpenKeyA(HKEY_CURRENT_USER, "Software\\Hds", &sub));
    return 0;
}
