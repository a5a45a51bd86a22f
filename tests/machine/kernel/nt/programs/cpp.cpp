// An exception of C++ is thrown and caught.
#include <iostream>
#include <stdexcept>

static void fail(int depth)
{
    if (depth)
        fail(depth - 1);
    throw std::runtime_error("boom");
}

int main()
{
    try {
        fail(3);
    } catch (const std::exception &error) {
        std::cout << "caught " << error.what() << std::endl;
    }
    return 0;
}
