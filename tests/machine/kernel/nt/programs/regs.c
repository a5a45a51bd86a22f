/* Keys and values: made, read, enumerated, deleted. */
#include <stdio.h>
#include <windows.h>
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    HKEY k, s;
    DWORD d, n, t;
    LONG r;
    char b[128];
    r = RegCreateKeyExA(HKEY_CURRENT_USER, "Software\\Test\\Sub", 0, 0, 0, KEY_ALL_ACCESS, 0, &k, &d);
    printf("create %ld %lu\n", r, d);
    r = RegCreateKeyExA(HKEY_CURRENT_USER, "Software\\Test\\Sub", 0, 0, 0, KEY_ALL_ACCESS, 0, &s, &d);
    printf("again %ld %lu\n", r, d);
    DWORD v = 42;
    RegSetValueExA(k, "num", 0, REG_DWORD, (BYTE *)&v, 4);
    RegSetValueExA(k, "text", 0, REG_SZ, (BYTE *)"hello", 6);
    RegSetValueExA(k, "", 0, REG_SZ, (BYTE *)"def", 4);
    RegSetValueExA(k, "multi", 0, REG_MULTI_SZ, (BYTE *)"a\0b\0", 5);
    n = 4;
    v = 0;
    r = RegQueryValueExA(k, "NUM", 0, &t, (BYTE *)&v, &n);
    printf("num %ld %lu %lu\n", r, t, v);
    n = 2;
    r = RegQueryValueExA(k, "text", 0, &t, (BYTE *)b, &n);
    printf("more %ld %lu\n", r, n);
    n = 128;
    r = RegGetValueA(HKEY_CURRENT_USER, "Software\\Test\\Sub", 0, RRF_RT_REG_SZ, 0, b, &n);
    printf("default %ld %s\n", r, b);
    RegCreateKeyExA(k, "zeta", 0, 0, 0, KEY_ALL_ACCESS, 0, &s, 0);
    RegCreateKeyExA(k, "Alpha", 0, 0, 0, KEY_ALL_ACCESS, 0, &s, 0);
    for (DWORD i = 0;; i++) {
        n = 128;
        r = RegEnumKeyExA(k, i, b, &n, 0, 0, 0, 0);
        if (r) {
            printf("keys end %ld\n", r);
            break;
        }
        printf("key %s\n", b);
    }
    for (DWORD i = 0;; i++) {
        n = 128;
        r = RegEnumValueA(k, i, b, &n, 0, &t, 0, 0);
        if (r) {
            printf("values end %ld\n", r);
            break;
        }
        printf("value '%s' %lu\n", b, t);
    }
    DWORD sk, mk, nv, mv, md;
    r = RegQueryInfoKeyA(k, 0, 0, 0, &sk, &mk, 0, &nv, &mv, &md, 0, 0);
    printf("info %ld %lu %lu %lu %lu\n", r, sk, mk, nv, mv);
    printf("delete %ld", RegDeleteKeyA(HKEY_CURRENT_USER, "Software\\Test"));
    printf(" value %ld", RegDeleteValueA(k, "num"));
    printf(" %ld", RegDeleteValueA(k, "num"));
    printf(" sub %ld", RegDeleteKeyA(k, "zeta"));
    printf(" tree %ld\n", RegDeleteTreeA(HKEY_CURRENT_USER, "Software\\Test"));
    printf("gone %ld\n", RegOpenKeyExA(HKEY_CURRENT_USER, "Software\\Test", 0, KEY_READ, &k));

    printf("notify %ld\n",
           RegNotifyChangeKeyValue(HKEY_CURRENT_USER, 1, REG_NOTIFY_CHANGE_LAST_SET, CreateEventA(0, 0, 0, 0), 1));
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, "SYSTEM", 0, KEY_READ, &k);
    RegQueryInfoKeyA(k, 0, 0, 0, &sk, &mk, 0, 0, 0, 0, 0, 0);
    printf("system %lu %lu", sk, mk);
    for (n = 128, d = 0; !RegEnumKeyExA(k, d, b, &n, 0, 0, 0, 0); d++, n = 128) printf(" %s", b);
    n = 4;
    r = RegGetValueA(k, "Select", "Current", RRF_RT_REG_DWORD, 0, &v, &n);
    printf("\ncurrent %ld %lu", r, v);
    n = 128;
    r = RegGetValueA(k, "ControlSet001\\Control\\ComputerName\\ComputerName", "ComputerName", RRF_RT_REG_SZ, 0, b, &n);
    printf(" %ld %s\n", r, b);
    printf("flush %ld\n", RegFlushKey(HKEY_CURRENT_USER));
    return 0;
}
