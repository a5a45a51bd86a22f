/* bcryptprimitives.dll, which Wine 8.0 does not have and programs of Rust import: random numbers that are none. */
#include <windows.h>

static unsigned long long seed = 1;

__declspec(dllexport) BOOL WINAPI ProcessPrng(unsigned char *data, SIZE_T size)
{
    for (SIZE_T i = 0; i < size; i++) {
        seed = seed * 6364136223846793005ull + 1;
        data[i] = (unsigned char)(seed >> 56);
    }
    return TRUE;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved)
{
    (void)module;
    (void)reason;
    (void)reserved;
    return TRUE;
}
