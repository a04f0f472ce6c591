// What must hold on what a power cut left: every acknowledged event once and in order, nothing that
// was never appended, a chain that verifies, projections that are the fold of the log.
#pragma once

#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace dyad::powercut {

// What the workload knows at some moment.
struct Ledger {
    std::map<std::string, test::SampleLog> users;  // what was acknowledged
    std::vector<AppendRequest> in_flight;          // asked for, not answered: there or not there
    std::int64_t expired_before_ms = INT64_MIN;    // the log may forget what is older
    std::map<std::string, Offset> gone_to;         // it has, and no file has anything of it
};

struct Verdict {
    bool lost = false;
    bool doubled = false;
    bool out_of_order = false;
    bool corrupt = false;
    std::string why;                          // the first problem
    std::map<std::string, Offset> recovered;  // the end of each log

    bool good() const noexcept { return !lost && !doubled && !out_of_order && !corrupt; }
    void blame(bool Verdict::* kind, const std::string& text);
};

sqlite::StoreOptions small_options(const std::string& vfs, const std::string& pragmas);

// Thrown where the store asks for the end of the process.
struct Stopped {};

// Compares an open store with the ledger. `thorough`: also what takes an apply to read.
Verdict compare(test::OneThreadStore& store, const Ledger& ledger, bool thorough);
// Whether a file has, durably, something of the events that are gone.
void check_erased(const test::FaultDisk& disk, const Ledger& ledger, Verdict& verdict);
// Opens the store on a disk and compares; then appends to it, where `and_goes_on`.
Verdict recover_and_compare(test::FaultDisk& disk, const std::string& vfs_name,
                            const std::string& pragmas, const Ledger& ledger, bool thorough,
                            bool and_goes_on);

}  // namespace dyad::powercut
