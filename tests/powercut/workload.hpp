// A seeded history of one store on one simulated disk: commits, applies, expiry, restarts, crashes,
// full disks, failed syncs; and power cuts at random moments, whose outcome is examined aside while
// the history goes on.
#pragma once

#include "recovery_check.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace dyad::powercut {

struct Settings {
    test::FaultDisk::Flaw flaw = test::FaultDisk::Flaw::none;
    std::string pragmas;
};

class Workload {
  public:
    using Report = std::function<bool(const Verdict&)>;

    // `report` is called for every cut; false ends the history.
    Workload(std::uint64_t seed, Settings settings, Report report);
    // A few hundred cuts. Ends early where the history itself goes wrong.
    void run();

  private:
    void step();
    void maybe_cut();
    void apply();
    void expect_good(bool thorough);
    void commit_group();
    void accept_results(std::vector<AppendRequest>& requests);
    void expire();
    void change_faults();
    void open();
    void crash(bool power_goes);
    void adopt();

    std::uint64_t seed_;
    Settings settings_;
    Report report_;
    test::SeededRandom random_;      // of the history
    test::SeededRandom cut_random_;  // of the cuts: they do not change the history
    std::unique_ptr<test::FaultDisk> disk_;
    std::unique_ptr<test::FaultVfs> vfs_;
    std::unique_ptr<test::OneThreadStore> store_;
    Ledger ledger_;
    bool ended_ = false;
    std::uint64_t changes_ = 0;
};

}  // namespace dyad::powercut
