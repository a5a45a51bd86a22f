/* A program changes its own code by WriteProcessMemory, which may write to code and not to constants. */
#include <stdio.h>
#include <windows.h>

static const unsigned char CODE[] = {0xb8, 41, 0, 0, 0, 0xc3}; /* mov eax, 41; ret */
extern unsigned char in_image[];
__asm__(".text\nin_image: .byte 0xb8, 41, 0, 0, 0, 0xc3");
static const char *const constant = "five";

static void patch(const char *what, unsigned char *code)
{
    unsigned char changed = 42;
    SIZE_T done = 9;
    MEMORY_BASIC_INFORMATION about;
    int (*answer)(void) = (int (*)(void))code;
    int before = answer();
    BOOL written = WriteProcessMemory(GetCurrentProcess(), code + 1, &changed, 1, &done);

    VirtualQuery(code, &about, sizeof about);
    printf("%s: %d, written %d, %d bytes, %d, protection %lx\n", what, before, written, (int)done, answer(), about.Protect);
}

int main(void)
{
    unsigned char changed = 42;
    SIZE_T done = 9;
    DWORD old;
    unsigned char *made = VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    BOOL written;

    memcpy(made, CODE, sizeof CODE);
    VirtualProtect(made, 0x1000, PAGE_EXECUTE_READ, &old);
    patch("image", in_image);
    patch("memory", made);
    written = WriteProcessMemory(GetCurrentProcess(), (void *)constant, &changed, 1, &done);
    printf("constant: written %d, %s\n", written, constant);
    return 0;
}
