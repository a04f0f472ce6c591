// powercut: cuts the power of the embedded store at random moments and examines what is left.
//
//     powercut [--cuts N] [--seed S] [--synchronous FULL|NORMAL|OFF] [--flaw NAME] [--expect-loss]
//
// Exits with 0 where nothing was lost, doubled, out of order or corrupt; with --expect-loss, which
// goes with a weakened store, where something was.
#include "base/log.hpp"
#include "workload.hpp"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace dyad::powercut {
namespace {

using Flaw = test::FaultDisk::Flaw;

struct Arguments {
    std::uint64_t cuts = 20000;
    std::uint64_t seed = 1;
    Settings settings;
    bool expect_loss = false;
};

std::optional<Flaw> flaw_by_name(const std::string& name) {
    if (name == "none") return Flaw::none;
    if (name == "journal-sync-lost") return Flaw::journal_sync_lost;
    if (name == "rollback-sync-lost") return Flaw::rollback_sync_lost;
    if (name == "database-sync-lost") return Flaw::database_sync_lost;
    if (name == "creation-sync-lost") return Flaw::creation_sync_lost;
    if (name == "rewrite-skipped") return Flaw::rewrite_skipped;
    if (name == "folder-sync-lost") return Flaw::folder_sync_lost;
    return std::nullopt;
}

std::optional<Arguments> parse(int count, char** words) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "--expect-loss") {
            arguments.expect_loss = true;
            continue;
        }
        if (++i == count) return std::nullopt;
        const std::string value = words[i];
        if (word == "--cuts") {
            arguments.cuts = std::strtoull(value.c_str(), nullptr, 10);
        } else if (word == "--seed") {
            arguments.seed = std::strtoull(value.c_str(), nullptr, 10);
        } else if (word == "--synchronous" &&
                   (value == "OFF" || value == "NORMAL" || value == "FULL")) {
            arguments.settings.pragmas = "PRAGMA synchronous=" + value;
        } else if (word == "--flaw" && flaw_by_name(value)) {
            arguments.settings.flaw = *flaw_by_name(value);
        } else {
            return std::nullopt;
        }
    }
    return arguments;
}

class Tally {
  public:
    explicit Tally(std::uint64_t wanted) : wanted_(wanted) {}

    bool enough() const noexcept { return cuts_.load() >= wanted_; }

    void add(const Verdict& verdict) {
        const std::uint64_t cut = ++cuts_;
        if (!verdict.good()) {
            const std::lock_guard held(mutex_);
            lost_ += verdict.lost;
            doubled_ += verdict.doubled;
            out_of_order_ += verdict.out_of_order;
            corrupt_ += verdict.corrupt;
            constexpr int kShown = 5;
            if (shown_++ < kShown) std::printf("  %s\n", verdict.why.c_str());
        }
        if (cut % 20000 == 0) {
            std::printf("powercut: %llu cuts so far\n", static_cast<unsigned long long>(cut));
            std::fflush(stdout);
        }
    }

    bool loss() const noexcept { return lost_ + doubled_ + out_of_order_ + corrupt_ != 0; }
    void print() const {
        std::printf(
            "powercut: %llu cuts, %llu lost, %llu doubled, %llu out of order, "
            "%llu corrupt\n",
            static_cast<unsigned long long>(cuts_.load()), lost_, doubled_, out_of_order_,
            corrupt_);
    }

  private:
    std::uint64_t wanted_;
    std::atomic<std::uint64_t> cuts_{0};
    std::mutex mutex_;
    unsigned long long lost_ = 0;
    unsigned long long doubled_ = 0;
    unsigned long long out_of_order_ = 0;
    unsigned long long corrupt_ = 0;
    int shown_ = 0;
};

int run(const Arguments& arguments) {
    log::configure(log::Level::off, log::Format::text, "");
    Tally tally(arguments.cuts);
    std::atomic<std::uint64_t> next_seed = arguments.seed;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
        threads.emplace_back([&] {
            while (!tally.enough() && !(arguments.expect_loss && tally.loss())) {
                Workload workload(next_seed.fetch_add(1), arguments.settings,
                                  [&tally](const Verdict& verdict) { tally.add(verdict); });
                workload.run();
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    tally.print();
    return tally.loss() == arguments.expect_loss ? 0 : 1;
}

}  // namespace
}  // namespace dyad::powercut

int main(int count, char** words) {
    const auto arguments = dyad::powercut::parse(count, words);
    if (!arguments) {
        std::fprintf(stderr,
                     "usage: powercut [--cuts N] [--seed S] [--synchronous FULL|NORMAL|OFF]\n"
                     "                [--flaw none|journal-sync-lost|rollback-sync-lost|"
                     "database-sync-lost|\n                creation-sync-lost|rewrite-skipped|"
                     "folder-sync-lost]\n"
                     "                [--expect-loss]\n");
        return 2;
    }
    return dyad::powercut::run(*arguments);
}
