/* Memory is allocated, protected, asked about, freed. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    DWORD old = 0;
    MEMORY_BASIC_INFORMATION about;
    char *memory = VirtualAlloc(NULL, 0x10000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    memory[0] = 1;
    VirtualProtect(memory, 0x1000, PAGE_READONLY, &old);
    VirtualQuery(memory, &about, sizeof about);
    printf("old %lx prot %lx size %llx\n", old, about.Protect, (unsigned long long)about.RegionSize);
    VirtualFree(memory, 0, MEM_RELEASE);
    return 0;
}
