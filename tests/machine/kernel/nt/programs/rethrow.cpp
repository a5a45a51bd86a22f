// C++: rethrown exceptions, destructors in order, catch by base class, nested, from another thread, std::current_exception.
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <windows.h>

struct Trace {
    const char *name;
    ~Trace() { std::printf("~%s\n", name); }
};

static void inner()
{
    Trace trace{"inner"};
    throw std::out_of_range("range");
}

static void outer()
{
    Trace trace{"outer"};
    try {
        inner();
    } catch (const std::logic_error &error) {
        std::printf("logic %s\n", error.what());
        throw;
    }
}

static DWORD WINAPI thread(void *kept)
{
    try {
        throw std::string("thread");
    } catch (...) {
        *static_cast<std::exception_ptr *>(kept) = std::current_exception();
    }
    return 0;
}

int main()
{
    try {
        outer();
    } catch (const std::exception &error) {
        std::printf("outer %s\n", error.what());
    }
    try {
        try {
            throw 1;
        } catch (int value) {
            throw value + 1.5;
        }
    } catch (double value) {
        std::printf("double %.1f\n", value);
    }
    std::exception_ptr kept;
    WaitForSingleObject(CreateThread(nullptr, 0, thread, &kept, 0, nullptr), INFINITE);
    try {
        std::rethrow_exception(kept);
    } catch (const std::string &text) {
        std::printf("from %s\n", text.c_str());
    }
    std::printf("uncaught %d\n", std::uncaught_exceptions());
}
