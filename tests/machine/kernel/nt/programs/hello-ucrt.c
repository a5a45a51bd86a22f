/* printf of the Universal C Runtime, imported as its own compilers do: from API sets, with no start code. Exit code 5. */
#include <stdarg.h>

__declspec(dllimport) int __stdio_common_vfprintf(
    unsigned long long options, void *stream, const char *format, void *locale, va_list arguments);
__declspec(dllimport) void *__acrt_iob_func(unsigned number);
__declspec(dllimport) int *__p___argc(void);
__declspec(dllimport) int _configure_narrow_argv(int mode);
__declspec(dllimport) __attribute__((noreturn)) void exit(int code);

static void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    __stdio_common_vfprintf(0, __acrt_iob_func(1), format, 0, arguments);
    va_end(arguments);
}

void start(void)
{
    _configure_narrow_argv(1);
    print("hello, %d args, ", *__p___argc());
    print("printf\n");
    exit(5);
}
