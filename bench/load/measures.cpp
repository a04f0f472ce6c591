#include "load/measures.hpp"

#include <algorithm>
#include <bit>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/resource.h>

namespace dyad::bench {
namespace {

constexpr std::uint64_t kSteps = 64;

std::size_t bucket_of(std::uint64_t ns) {
    if (ns < kSteps) return ns;
    const auto doubling = static_cast<std::uint64_t>(63 - std::countl_zero(ns));
    return (doubling - 5) * kSteps + ((ns >> (doubling - 6)) & (kSteps - 1));
}

std::uint64_t lowest_of(std::size_t bucket) {
    if (bucket < kSteps) return bucket;
    const std::uint64_t doubling = bucket / kSteps + 5;
    return (1ULL << doubling) + ((bucket % kSteps) << (doubling - 6));
}

}  // namespace

std::uint64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

void Histogram::add(std::uint64_t ns) {
    ++buckets_[std::min(bucket_of(ns), buckets_.size() - 1)];
    ++count_;
    max_ns_ = std::max(max_ns_, ns);
}

double Histogram::quantile_us(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_));
    std::uint64_t passed = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        passed += buckets_[i];
        if (passed > wanted) return static_cast<double>(lowest_of(i)) / 1000;
    }
    return max_us();
}

double cpu_seconds(int pid) {
    double ns = 0;
    std::error_code none;
    const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks, none)) {
        double of_task = 0;
        std::ifstream(task.path() / "schedstat") >> of_task;
        ns += of_task;
    }
    return ns / 1e9;
}

double own_cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double machine_cpu_seconds() {
    std::ifstream file("/proc/stat");
    std::string name;
    std::array<double, 8> ticks{};  // user nice system idle iowait irq softirq steal
    file >> name;
    for (double& t : ticks)
        file >> t;
    return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) / 100;
}

long resident_kib(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
    return 0;
}

}  // namespace dyad::bench
