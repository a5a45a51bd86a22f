/* The C++ library: files and folders, threads, condition variables, futures, exceptions between threads. */
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <mutex>
#include <map>
#include <sstream>
#include <thread>
#include <vector>
namespace fs = std::filesystem;
int main() {
    fs::create_directories("d/e/f"); { std::ofstream("d/one.txt") << "hello\n"; std::ofstream("d/e/two.txt") << std::string(5000, 'x'); }
    std::vector<std::string> names; for (auto &p : fs::recursive_directory_iterator("d")) names.push_back(p.path().generic_string());
    std::sort(names.begin(), names.end()); for (auto &n : names) std::cout << n << "\n";
    std::cout << fs::file_size("d/e/two.txt") << fs::exists("nope") << fs::is_directory("d/e") << "\n";
    fs::copy("d", "c", fs::copy_options::recursive); fs::rename("c/one.txt", "c/uno.txt"); std::cout << fs::exists("c/uno.txt") << fs::remove_all("c") << "\n";
    fs::resize_file("d/one.txt", 3); std::ifstream in("d/one.txt"); std::string s; in >> s; in.close(); std::cout << s << "\n";
    try { (void)fs::file_size("nope"); } catch (const fs::filesystem_error &e) { std::cout << "error " << (e.code() == std::errc::no_such_file_or_directory) << "\n"; }
    std::error_code ec; fs::remove("d", ec); std::cout << "not empty " << !!ec << "\n"; std::cout << fs::remove_all("d") << "\n";
    std::mutex m; std::condition_variable cv; int turn = 0; std::vector<std::thread> ts; long sum = 0;
    for (int i = 0; i < 6; i++) ts.emplace_back([&, i] { for (int k = 0; k < 50; k++) { std::unique_lock l(m); cv.wait(l, [&] { return turn % 6 == i; }); turn++; sum += i * k; cv.notify_all(); } });
    for (auto &t : ts) t.join(); std::cout << turn << " " << sum << "\n";
    auto f = std::async(std::launch::async, [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); throw std::runtime_error("late"); return 1; });
    try { f.get(); } catch (const std::exception &e) { std::cout << e.what() << "\n"; }
    std::promise<int> p; std::thread([&] { p.set_value(7); }).detach(); std::cout << p.get_future().get() << "\n";
    std::atomic<int> a{0}; { std::vector<std::future<int>> fs2; for (int i = 0; i < 8; i++) fs2.push_back(std::async(std::launch::async, [&a, i] { a += i; return i * i; })); int t = 0; for (auto &x : fs2) t += x.get(); std::cout << a << " " << t << "\n"; }
    std::wstring w = L"wide \u00e9"; std::cout << w.size() << "\n"; std::timed_mutex tm; tm.lock(); std::thread([&] { std::cout << tm.try_lock_for(std::chrono::milliseconds(5)) << "\n"; }).join();
    thread_local int tl = 5; std::thread([&] { tl++; }).join(); std::cout << tl << std::endl; return 3;
}
