// dyad_sim: runs the heart of several nodes in a simulated world, a seed per world, and checks what
// must hold, always (checker.hpp). docs/simulation.md is its manual.
#include "base/log.hpp"
#include "sim/run.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <new>
#include <sstream>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dyad::sim {
namespace {

constexpr unsigned kSecondsPerSeedMax = 30;
constexpr std::size_t kTraceTailLines = 60;
constexpr int kJobsMax = 64;

struct Options {
    std::uint64_t seeds = 100;
    std::uint64_t first_seed = 1;
    bool one_seed = false;
    int jobs = 2;
    std::string mutation = "none";
    std::string regressions;  // a file of seeds
    bool trace = false;
};

// What the processes of one sweep share.
struct Shared {
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> violations{0};
    std::atomic<std::uint64_t> first_caught{UINT64_MAX};  // index of the seed
    std::atomic<std::uint64_t> current[kJobsMax]{};       // index of the seed each one is at
};

struct Sweep {
    std::vector<std::uint64_t> seeds;
    Variant variant;
    bool stop_at_first = false;  // and say nothing
    bool trace = false;
    int jobs = 1;
};

void print(const std::string& text) {
    // One write: several processes print.
    static_cast<void>(!::write(STDOUT_FILENO, text.data(), text.size()));
}

std::string report(std::uint64_t seed, const Variant& variant, bool whole_trace) {
    const Outcome outcome = run_seed(seed, variant, true);
    std::ostringstream out;
    const std::size_t skipped = whole_trace || outcome.trace.size() <= kTraceTailLines
                                    ? 0
                                    : outcome.trace.size() - kTraceTailLines;
    if (skipped > 0) out << "  ... " << skipped << " lines before (--trace prints them)\n";
    for (std::size_t i = skipped; i < outcome.trace.size(); ++i)
        out << "  " << outcome.trace[i] << "\n";
    for (const Violation& violation : outcome.violations)
        out << "seed " << seed << ": point " << violation.point << ": " << violation.text << "\n";
    if (!outcome.violations.empty())
        out << "replay: dyad_sim --seed " << seed
            << (variant.name == "none" ? "" : " --mutation " + variant.name) << " --trace\n";
    return out.str();
}

void note_violation(Shared& shared, std::uint64_t index) {
    shared.violations += 1;
    std::uint64_t first = shared.first_caught;
    while (index < first && !shared.first_caught.compare_exchange_weak(first, index)) {
    }
}

// The seeds at from, from + jobs, ...
[[noreturn]] void work(const Sweep& sweep, Shared& shared, int job, std::uint64_t from) {
    if (sweep.stop_at_first) static_cast<void>(!std::freopen("/dev/null", "w", stderr));
    for (std::uint64_t i = from; i < sweep.seeds.size();
         i += static_cast<std::uint64_t>(sweep.jobs)) {
        if (sweep.stop_at_first && shared.first_caught < i) break;
        shared.current[job] = i;
        ::alarm(kSecondsPerSeedMax);
        const Outcome outcome = run_seed(sweep.seeds[i], sweep.variant, false);
        shared.done += 1;
        if (!outcome.violations.empty()) {
            note_violation(shared, i);
            if (!sweep.stop_at_first) print(report(sweep.seeds[i], sweep.variant, sweep.trace));
        }
    }
    ::_exit(0);
}

pid_t spawn(const Sweep& sweep, Shared& shared, int job, std::uint64_t from) {
    std::cout.flush();
    const pid_t pid = ::fork();
    if (pid == 0) work(sweep, shared, job, from);
    return pid;
}

// Runs all seeds in `jobs` processes. A process that dies is a violation of the seed it was at.
void run_sweep(const Sweep& sweep, Shared& shared) {
    std::map<pid_t, int> workers;
    for (int job = 0; job < sweep.jobs; ++job)
        workers[spawn(sweep, shared, job, static_cast<std::uint64_t>(job))] = job;
    while (!workers.empty()) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, 0);
        const auto at = workers.find(pid);
        if (at == workers.end()) continue;
        const int job = at->second;
        workers.erase(at);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        const std::uint64_t index = shared.current[job];
        note_violation(shared, index);
        shared.done += 1;
        if (!sweep.stop_at_first)
            print("seed " + std::to_string(sweep.seeds[index]) + ": the process ended by signal " +
                  std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0) +
                  (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? " (it hung)" : "") + "\n");
        workers[spawn(sweep, shared, job, index + static_cast<std::uint64_t>(sweep.jobs))] = job;
    }
}

Shared& new_shared() {
    void* memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return *new (memory) Shared;
}

std::vector<std::uint64_t> seeds_of(const Options& options) {
    std::vector<std::uint64_t> seeds;
    if (!options.regressions.empty()) {
        std::ifstream file(options.regressions);
        for (std::string line; std::getline(file, line);) {
            std::uint64_t seed = 0;
            if (std::from_chars(line.data(), line.data() + line.size(), seed).ec == std::errc())
                seeds.push_back(seed);
        }
    }
    for (std::uint64_t i = 0; i < options.seeds; ++i)
        seeds.push_back(options.first_seed + i);
    return seeds;
}

// Every variant must be caught: a table of the first seed that does.
int run_variants(const Options& options) {
    int escaped = 0;
    for (const Variant& variant : all_variants()) {
        Shared& shared = new_shared();
        Sweep sweep{.seeds = seeds_of(options),
                    .variant = variant,
                    .stop_at_first = true,
                    .trace = false,
                    .jobs = options.jobs};
        run_sweep(sweep, shared);
        const std::uint64_t index = shared.first_caught;
        std::string caught = "ESCAPED";
        if (index != UINT64_MAX)
            caught = "seed " + std::to_string(sweep.seeds[index]);
        else
            ++escaped;
        std::printf("%-32s %s\n", variant.name.c_str(), caught.c_str());
        std::fflush(stdout);
    }
    std::printf("sim: %zu variants, %d escaped\n", all_variants().size(), escaped);
    return escaped == 0 ? 0 : 1;
}

int run_seeds(const Options& options, const Variant& variant) {
    const auto begin = std::chrono::steady_clock::now();
    Shared& shared = new_shared();
    const Sweep sweep{.seeds = seeds_of(options),
                      .variant = variant,
                      .stop_at_first = false,
                      .trace = options.trace,
                      .jobs = options.jobs};
    run_sweep(sweep, shared);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("sim: %zu seeds, %llu violations (%.0f seeds/s)\n", sweep.seeds.size(),
                static_cast<unsigned long long>(shared.violations),
                static_cast<double>(sweep.seeds.size()) / seconds);
    return shared.violations == 0 ? 0 : 1;
}

bool parse(int argc, char** argv, Options& options) {
    const auto number = [](const char* text, auto& value) {
        const char* end = text + std::strlen(text);
        const auto parsed = std::from_chars(text, end, value);
        return parsed.ec == std::errc() && parsed.ptr == end;
    };
    bool seeds_given = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--trace") {
            options.trace = true;
            continue;
        }
        const char* value = i + 1 < argc ? argv[++i] : nullptr;
        if (value == nullptr) return false;
        if (option == "--seeds")
            seeds_given = number(value, options.seeds);
        else if (option == "--seed")
            options.one_seed = number(value, options.first_seed);
        else if (option == "--jobs" && number(value, options.jobs) && options.jobs > 0 &&
                 options.jobs <= kJobsMax)
            continue;
        else if (option == "--mutation")
            options.mutation = value;
        else if (option == "--regressions")
            options.regressions = value;
        else
            return false;
    }
    if (options.one_seed && !seeds_given) options.seeds = 1;
    return true;
}

int main_with(const Options& options) {
    log::configure(log::Level::off, log::Format::text, "");
    if (options.mutation == "all") return run_variants(options);
    const auto variant = variant_by_name(options.mutation);
    if (!variant) {
        std::cerr << "there is no mutation \"" << options.mutation << "\"; there are:\n";
        for (const Variant& known : all_variants())
            std::cerr << "  " << known.name << "\n";
        return 2;
    }
    if (options.seeds == 1 && options.regressions.empty() && options.trace) {
        const std::string text = report(options.first_seed, *variant, true);
        print(text);
        return text.find("\nreplay: ") == std::string::npos ? 0 : 1;
    }
    return run_seeds(options, *variant);
}

}  // namespace
}  // namespace dyad::sim

int main(int argc, char** argv) {
    dyad::sim::Options options;
    if (!dyad::sim::parse(argc, argv, options)) {
        std::cerr << "usage: dyad_sim [--seeds N] [--seed FIRST] [--jobs N] [--mutation NAME|all]\n"
                     "                [--regressions FILE] [--trace]\n";
        return 2;
    }
    return dyad::sim::main_with(options);
}
