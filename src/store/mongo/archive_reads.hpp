// Reads of what is derived from the log, as store/archive.hpp has them, by a connection of the
// driver. The derived documents have everything up to the log's end when one is called.
//
// History is read from the events, by the index (userId, scope, offset); contexts and expiries from
// `dyad_state`; transitions and responses from the documents of existing instances, of which ours
// have the exact text, by (userId, dyad.offset). These outlive their events.
//
// Errors: the client's; storage_damaged where a text of ours cannot be read.
// Threads: one at a time, a driver thread's.
#pragma once

#include "store/archive.hpp"
#include "store/mongo/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dyad::mongo {

class ArchiveReads {
  public:
    explicit ArchiveReads(Client& client) : client_(client) {}

    Result<std::vector<HistoryItem>> history(const std::string& user_id, const std::string& key,
                                             PageRequest page);
    // Errors: history_gone, not_found.
    Result<ContextPtr> version(const std::string& user_id, const std::string& key, Version version);
    Result<std::vector<Transition>> transitions(const std::string& user_id,
                                                const std::optional<std::string>& instance_id,
                                                PageRequest page);
    Result<std::vector<ResponseRecord>> responses(const std::string& user_id,
                                                  const ResponseFilter& filter, PageRequest page);
    // Looks through all live contexts of the user. Errors: those of search::Query::parse.
    Result<std::vector<SearchHit>> search(const std::string& user_id, const std::string& query,
                                          std::size_t limit);
    Result<std::vector<std::string>> users_with_expired(std::int64_t now_ms, std::size_t limit);

  private:
    Result<ContextPtr> current(const std::string& user_id, const std::string& key);
    Result<ContextPtr> past_version(const std::string& user_id, const std::string& key,
                                    Version version);

    Client& client_;
};

}  // namespace dyad::mongo
