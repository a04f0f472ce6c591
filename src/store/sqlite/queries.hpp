// The reads that go through the log's history or the projections page by page. They see what is
// applied. Errors: the connection's; storage_damaged; those named in store.hpp.
#pragma once

#include "store/sqlite/log_tables.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dyad::sqlite {

class Queries {
  public:
    Queries(Connection& connection, LogTables& log) : db_(connection), log_(log) {}

    Result<std::vector<HistoryItem>> history(std::int64_t user, const std::string& key,
                                             PageRequest page);
    Result<ContextPtr> version(const StoredHead& log, const std::string& key, Version version);
    Result<std::vector<Transition>> transitions(std::int64_t user,
                                                const std::optional<std::string>& instance_id,
                                                PageRequest page);
    Result<std::vector<ResponseRecord>> responses(std::int64_t user, const ResponseFilter& filter,
                                                  PageRequest page);

  private:
    Connection& db_;
    LogTables& log_;
};

}  // namespace dyad::sqlite
