// pinned CPU COMMAND…: runs a command on one CPU, ahead of everything else there, with a short time
// slice, so that it runs as soon as it wakes up. Without the rights for it: as far as it goes.
// With PINNED_REALTIME=1 nothing else runs there while it wants to: for a machine with other work.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// As the kernel has it; glibc has no name for it.
struct SchedulingAttributes {
    std::uint32_t size = sizeof(SchedulingAttributes);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = -20;
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 100'000;  // the slice
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
};

}  // namespace

int main(int count, char** words) {
    if (count < 3) return std::fprintf(stderr, "usage: pinned CPU COMMAND...\n"), 2;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(std::atoi(words[1])), &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) std::perror("sched_setaffinity");
    SchedulingAttributes attributes;
    const char* realtime = std::getenv("PINNED_REALTIME");
    if (realtime != nullptr && *realtime == '1')
        attributes = {.policy = SCHED_FIFO, .nice = 0, .priority = 10, .runtime_ns = 0};
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) std::perror("sched_setattr");
    execvp(words[2], words + 2);
    std::perror(words[2]);
    return 127;
}
