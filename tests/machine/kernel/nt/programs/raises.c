/* A DLL that raises an exception when a process takes it up. */
#include <windows.h>

__declspec(dllexport) int answer(void) {
    return 42;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved) {
    if (reason == DLL_PROCESS_ATTACH) RaiseException(0xe0000077, 0, 0, NULL);
    return TRUE;
}
