// What stays known of the operations whose events expired: the keys of each instance's newest ones
// (base/limits.def), so that an operation that is sent again late is not applied again.
// Errors: the connection's.
#pragma once

#include "model/event.hpp"
#include "store/sqlite/connection.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

class ExpiredOperations {
  public:
    explicit ExpiredOperations(Connection& connection) : db_(connection) {}

    // Takes in the operations of a batch's events up to `last`, which are dropped from the log.
    // Requires: batches come in the log's order.
    Status add(std::int64_t user, const EventBatch& batch, Offset last);
    // Forgets the instances that are too many, those first whose events expired first.
    Status forget_oldest_instances(std::int64_t user);
    Result<bool> has(std::int64_t user, std::string_view instance, std::uint64_t key);
    // Appends the keys to `keys`.
    Status load(std::int64_t user, std::vector<std::uint64_t>& keys);

  private:
    Connection& db_;
};

}  // namespace dyad::sqlite
