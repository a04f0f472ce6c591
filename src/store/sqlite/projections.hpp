// What is derived from the log: contexts, conflicts, claims, modes, transitions and responses, as
// of the stored head. Written in the transaction that moves the head. Errors: the connection's;
// storage_damaged where a document cannot be read.
#pragma once

#include "model/change.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/user_log.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dyad::sqlite {

class Projections {
  public:
    explicit Projections(Connection& connection) : db_(connection) {}

    // Brings the projections up to the end of `batches`, whose changes are decoded. Of a document
    // that changed several times only the last state is written.
    Status apply(std::int64_t user, std::span<const Unapplied> batches);
    // The user's state, folded up to the stored head.
    Status load(std::int64_t user, State& state);

    // The rows were written by others: what the head says of them follows.
    Status take_rows(std::int64_t user, Offset first_kept);

    // Users with contexts or claims that may expire by `now_ms`: as far as the rows say, which a
    // later write may have changed. And whether one has, exactly, as the rows say.
    Result<std::vector<std::string>> users_who_may_have_expired(std::int64_t now_ms,
                                                                std::size_t limit);
    Result<bool> has_expired(std::int64_t user, std::int64_t now_ms);
    // Forgets deleted contexts whose deletion is before `first_kept`.
    Status drop_tombstones(std::int64_t user, Offset first_kept);

    // The responses that `batches` change, as they then are, by chat and message.
    using Responses = std::map<std::pair<std::string, std::string>, ResponseRecord>;
    Result<Responses> changed_responses(std::int64_t user, std::span<Unapplied> batches);

  private:
    struct Final;  // the documents to write
    // head.state_sum: of what each row of a user's state weighs. A row that is missing or of
    // another time, which no seal of a page shows, changes it.
    Result<std::uint64_t> state_sum(std::int64_t user);
    // Writes json_ as the row of `key`, with its other columns; where it is empty, the row goes.
    template <class... Columns>
    Status put(const auto& table, std::int64_t user, std::string_view key,
               const Columns&... columns);
    Status collect(std::int64_t user, std::span<const Unapplied> batches, Final& final);
    Status collect_response(std::int64_t user, Offset offset, const ResponseRecord& record,
                            Responses& responses);
    Status write_contexts(std::int64_t user, const Final& final);
    Status write_claims(std::int64_t user, const Final& final);
    // Of too many deleted contexts those that went first go: as State has it.
    Status forget_deletions(std::int64_t user);
    Status write_others(std::int64_t user, const Final& final);

    Connection& db_;
    std::string json_;
    std::uint64_t sum_ = 0;  // of the state that is being written or read
};

}  // namespace dyad::sqlite
