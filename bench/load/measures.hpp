// What is measured: time, latencies, a process's CPU time and memory, the machine's load.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dyad::bench {

std::uint64_t now_ns();
inline double now_s() {
    return static_cast<double>(now_ns()) / 1e9;
}

// Latencies in 64 steps per doubling: no value is off by more than 1.6 %.
class Histogram {
  public:
    void add(std::uint64_t ns);
    double quantile_us(double part) const;
    double max_us() const { return static_cast<double>(max_ns_) / 1000; }

  private:
    std::array<std::uint64_t, 64 * 48> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ns_ = 0;
};

// Of all threads of a process, in seconds. 0 where there is no such process.
double cpu_seconds(int pid);
double own_cpu_seconds();
// Of the whole machine.
double machine_cpu_seconds();
// Resident memory of a process, in KiB.
long resident_kib(int pid);

}  // namespace dyad::bench
