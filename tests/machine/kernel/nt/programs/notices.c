/* Who waits for changes of registry keys. */
#include <windows.h>
#include <stdio.h>
static HKEY key, sub;
static DWORD WINAPI changer(void *p) { Sleep(5); switch ((int)(INT_PTR)p) {
    case 0: RegSetValueExA(key, "v", 0, REG_SZ, (BYTE *)"x", 2); break;
    case 1: RegSetValueExA(sub, "v", 0, REG_SZ, (BYTE *)"x", 2); break;
    case 2: { HKEY made; RegCreateKeyA(key, "made", &made); RegCloseKey(made); break; }
    case 3: RegDeleteKeyA(key, "made"); break;
    case 4: RegDeleteValueA(key, "v"); break; }
    return 0; }
static void run(int what, int deep, DWORD kinds, const char *name) {
    HANDLE e = CreateEventA(0, 0, 0, 0); LONG r = RegNotifyChangeKeyValue(key, deep, kinds, e, TRUE);
    CloseHandle(CreateThread(0, 0, changer, (void *)(INT_PTR)what, 0, 0)); printf("%s %ld", name, r); printf(" %lu\n", WaitForSingleObject(e, 50)); CloseHandle(e); }
typedef struct { WORD length, room; WCHAR *text; } Text;
typedef struct { ULONG length; HANDLE root; Text *name; ULONG flags; void *a, *b; } Named;
typedef LONG(WINAPI *Notify)(HANDLE, ULONG, Named *, HANDLE, void *, void *, void *, ULONG, BOOLEAN, void *, ULONG, BOOLEAN);
static void several(const WCHAR *other) {
    Notify notify = (Notify)(void *)GetProcAddress(GetModuleHandleA("ntdll"), "NtNotifyChangeMultipleKeys");
    LONGLONG io[2]; HANDLE e = CreateEventA(0, 0, 0, 0); Text empty = {0}, name = {2 * lstrlenW(other), 2 * lstrlenW(other), (WCHAR *)other};
    Named others[2] = {{sizeof(Named), sub, &empty, 0x40, 0, 0}, {sizeof(Named), key, &name, 0x40, 0, 0}};
    printf("several %lx", notify(key, 2, others, e, 0, 0, io, REG_NOTIFY_CHANGE_LAST_SET, FALSE, 0, 0, TRUE));
    HKEY made; RegCreateKeyA(key, "second", &made); printf(" %lu", WaitForSingleObject(e, 0));
    RegSetValueExA(made, "v", 0, REG_SZ, (BYTE *)"x", 2); printf(" second %lu", WaitForSingleObject(e, 0));
    notify(key, 2, others, e, 0, 0, io, REG_NOTIFY_CHANGE_LAST_SET, FALSE, 0, 0, TRUE);
    RegSetValueExA(sub, "v", 0, REG_SZ, (BYTE *)"y", 2); printf(" sub %lu", WaitForSingleObject(e, 0));
    notify(key, 2, others, e, 0, 0, io, REG_NOTIFY_CHANGE_LAST_SET, FALSE, 0, 0, TRUE);
    RegSetValueExA(key, "v", 0, REG_SZ, (BYTE *)"y", 2); printf(" first %lu\n", WaitForSingleObject(e, 0)); RegCloseKey(made); CloseHandle(e); }
int main(void) {
    RegCreateKeyA(HKEY_CURRENT_USER, "Software\\X", &key); RegCreateKeyA(key, "sub", &sub);
    run(0, 0, REG_NOTIFY_CHANGE_LAST_SET, "set"); run(0, 0, REG_NOTIFY_CHANGE_NAME, "set, names"); run(1, 0, REG_NOTIFY_CHANGE_LAST_SET, "below"); run(1, 1, REG_NOTIFY_CHANGE_LAST_SET, "below, deep");
    run(2, 0, REG_NOTIFY_CHANGE_NAME, "made"); run(3, 0, REG_NOTIFY_CHANGE_NAME, "deleted"); run(4, 0, REG_NOTIFY_CHANGE_LAST_SET, "unset");
    HKEY second; RegCreateKeyA(key, "second", &second); several(L"second"); several(L"none");
    HANDLE t = CreateThread(0, 0, changer, (void *)0, 0, 0); printf("waits %ld", RegNotifyChangeKeyValue(key, 0, REG_NOTIFY_CHANGE_LAST_SET, 0, FALSE)); printf(" %lu\n", WaitForSingleObject(t, 1000));
    HKEY other; RegOpenKeyExA(HKEY_CURRENT_USER, "Software\\X", 0, KEY_NOTIFY, &other); HANDLE e = CreateEventA(0, 0, 0, 0);
    RegNotifyChangeKeyValue(other, 0, REG_NOTIFY_CHANGE_LAST_SET, e, TRUE); printf("open %lu", WaitForSingleObject(e, 0)); RegCloseKey(other); printf(" closed %lu\n", WaitForSingleObject(e, 0));
    RegOpenKeyExA(HKEY_CURRENT_USER, "Software\\X", 0, KEY_QUERY_VALUE, &other); printf("right %ld\n", RegNotifyChangeKeyValue(other, 0, 4, e, TRUE));
    return 0; }
