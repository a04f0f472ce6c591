// What the simulated database answers to each question of the store port, at one moment.
#pragma once

#include "sim_store/sim_database.hpp"
#include "store/store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dyad::sim::queries {

// `node_seed`: for SimDatabase::Flaws::epoch_by_node.
LoadedLog load(const SimDatabase& database, const std::string& user_id, std::uint64_t node_seed);
Result<LogSlice> read(const SimDatabase& database, const std::string& user_id, Offset after,
                      std::size_t bytes_max, std::uint64_t node_seed);
std::optional<Offset> find(const SimDatabase& database, const std::string& user_id,
                           const OperationId& operation);
std::vector<HistoryItem> history(const SimDatabase& database, const std::string& user_id,
                                 const std::string& key, PageRequest page);
Result<ContextPtr> read_version(const SimDatabase& database, const std::string& user_id,
                                const std::string& key, Version version);
std::vector<Transition> transitions(const SimDatabase& database, const std::string& user_id,
                                    const std::optional<std::string>& instance_id,
                                    PageRequest page);
std::vector<ResponseRecord> responses(const SimDatabase& database, const std::string& user_id,
                                      const ResponseFilter& filter, PageRequest page);
Result<std::vector<SearchHit>> search(const SimDatabase& database, const std::string& user_id,
                                      const std::string& query, std::size_t limit);
std::vector<std::string> users_with_expired(SimDatabase& database, std::int64_t now_ms,
                                            std::size_t limit);

}  // namespace dyad::sim::queries
