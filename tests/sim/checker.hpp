// The seventeen things that must hold, always, each checked on its own from a run's history:
//
//  1 every acknowledged operation is in the log exactly once, with that content
//  2 offsets are dense and unique
//  3 each client's deliveries are a contiguous slice of its user's log
//  4 no event reaches another user
//  5 per key, each accepted base is the previous version
//  6 state = fold(log)
//  7 read your writes, monotonic reads
//  8 the chain verifies
//  9 timestamps do not go back
// 10 after the faults heal, everyone converges and everything was answered
// 11 no acknowledgement while the store was down, or before the journal has it
// 12 acknowledged-before in real time is before in the log
// 13 nothing is destroyed before its time, whatever a clock says for a moment, nor long after it
// 14 who asked for inspired mode is private from then on, whatever became of the ask
// 15 every node says the same of who is present, and it is so
// 16 what somebody wrote beside the log is in it, once, with a greater version, and is never
//    overwritten before; and the documents say at the end what the log says
// 17 nobody is granted what another one holds; what is written under a claim is written while it is
//    held; a claim lasts as long as was asked for, and ends then
//
// and 0: the contracts of the ports, as far as a run can break them.
#pragma once

#include "sim/history.hpp"

#include <map>
#include <string>
#include <vector>

namespace dyad::sim {

struct Violation {
    int point = 0;
    std::string text;
};

// A history with the tables that the points share. Lifetime: the history's.
struct Evidence {
    explicit Evidence(const History& h);

    const History& history;
    // The log of each user as it stands at the end, by offset.
    std::map<std::string, std::vector<const LogEntry*>> final_logs;
    // Every operation that was meant, by its user and operation key.
    std::map<std::pair<std::string, std::uint64_t>, const Operation*> operations;
    // Every event that ever was durable, lost ones too: (user, offset) -> entries.
    std::map<std::pair<std::string, Offset>, std::vector<const LogEntry*>> all_events;

    // The event at a position, whatever became of it; null where there never was one.
    const LogEntry* at(const std::string& user_id, Offset offset,
                       std::span<const std::uint8_t> hash_start) const;
    // When a backup was last put in place before or at `time_us`; 0 where never.
    std::int64_t last_restore_us(std::int64_t time_us) const;
};

using Violations = std::vector<Violation>;

// checker_log.cpp
void check_operations_in_log(const Evidence& evidence, Violations& out);  // 1
void check_dense_offsets(const Evidence& evidence, Violations& out);      // 2
void check_accepted_bases(const Evidence& evidence, Violations& out);     // 5
void check_chain(const Evidence& evidence, Violations& out);              // 8
void check_timestamps(const Evidence& evidence, Violations& out);         // 9
void check_durable_first(const Evidence& evidence, Violations& out);      // 11
void check_real_time_order(const Evidence& evidence, Violations& out);    // 12
// checker_time.cpp
void check_lifetimes(const Evidence& evidence, Violations& out);  // 13
// checker_clients.cpp
void check_contiguous_deliveries(const Evidence& evidence, Violations& out);  // 3
void check_isolation(const Evidence& evidence, Violations& out);              // 4
void check_state_is_fold(const Evidence& evidence, Violations& out);          // 6
void check_read_order(const Evidence& evidence, Violations& out);             // 7
void check_convergence(const Evidence& evidence, Violations& out);            // 10
// checker_privacy.cpp
void check_privacy(const Evidence& evidence, Violations& out);  // 14
void check_rolls(const Evidence& evidence, Violations& out);    // 15
// checker_foreign.cpp
void check_foreign_writes(const Evidence& evidence, Violations& out);  // 16
// checker_claims.cpp
void check_claims(const Evidence& evidence, Violations& out);  // 17
// Whether an instance may be private at the end, so that it need not have been sent everything.
bool may_be_private(const Evidence& evidence, const std::string& user_id,
                    const std::string& instance_id);
// checker_content.cpp: that every event says what its command asked for (a part of 1).
void check_contents(const Evidence& evidence, Violations& out);

// All of them; at most a few violations of each point.
Violations check(const History& history);

}  // namespace dyad::sim
