#include "sim/checker.hpp"

#include <algorithm>

namespace dyad::sim {

Evidence::Evidence(const History& h) : history(h) {
    for (const Operation& operation : h.operations)
        if (!operation.misuse)
            operations[{operation.user_id, operation_key(operation.command.instance_id,
                                                         operation.command.operation_id)}] =
                &operation;
    for (const auto& [user_id, entries] : h.logs) {
        auto& log = final_logs[user_id];
        for (const LogEntry& entry : entries) {
            all_events[{user_id, entry.event->first}].push_back(&entry);
            if (entry.lost_us == kNever) log.push_back(&entry);
        }
    }
}

const LogEntry* Evidence::at(const std::string& user_id, Offset offset,
                             std::span<const std::uint8_t> hash_start) const {
    const auto found = all_events.find({user_id, offset});
    if (found == all_events.end()) return nullptr;
    for (const LogEntry* entry : found->second)
        if (std::equal(hash_start.begin(), hash_start.end(),
                       entry->event->entries.front().hash.begin()))
            return entry;
    return nullptr;
}

std::int64_t Evidence::last_restore_us(std::int64_t time_us) const {
    std::int64_t last = 0;
    for (const std::int64_t restore : history.restores)
        if (restore <= time_us) last = restore;
    return last;
}

Violations check(const History& history) {
    Violations found;
    for (const std::string& breach : history.breaches)
        found.push_back({0, breach});
    const Evidence evidence(history);
    constexpr std::size_t kPerPoint = 5;
    for (const auto point :
         {check_dense_offsets, check_chain, check_timestamps, check_operations_in_log,
          check_contents, check_accepted_bases, check_durable_first, check_lifetimes,
          check_real_time_order, check_contiguous_deliveries, check_isolation, check_state_is_fold,
          check_read_order, check_convergence, check_privacy, check_rolls, check_foreign_writes,
          check_claims}) {
        Violations of_point;
        point(evidence, of_point);
        if (of_point.size() > kPerPoint) of_point.resize(kPerPoint);
        found.insert(found.end(), of_point.begin(), of_point.end());
    }
    return found;
}

}  // namespace dyad::sim
