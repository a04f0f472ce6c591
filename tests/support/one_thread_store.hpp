// The embedded store without its threads: its parts, called in turn by whoever tests it.
#pragma once

#include "store/sqlite/opening.hpp"
#include "store/sqlite/store_check.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dyad::test {

class OneThreadStore {
  public:
    static Result<std::unique_ptr<OneThreadStore>> open(sqlite::StoreOptions options,
                                                        Random& random);

    // Commits the requests, as many records as that takes, with a result for each. As in the
    // threads, the tables take what is committed before the results are told.
    void commit(std::span<const AppendRequest> requests, std::vector<AppendResult>& results);
    // The same; `told` gets each result when it is told, with the request's number.
    using Told = std::function<void(std::size_t, const AppendResult&)>;
    void commit(std::span<const AppendRequest> requests, const Told& told);
    // `between` as Tables::apply has it.
    Status apply(const std::function<void()>& between = {});
    Status expire_some(sqlite::Tables::Expiry& walk);
    sqlite::StoreCheck begin_check(bool thorough);

    sqlite::Tables& tables() { return *store_.tables; }
    sqlite::CommitLog& commits() { return *store_.commits; }
    sqlite::Reads& reads() { return reads_; }

    bool has_unapplied() const { return store_.tables->has_unapplied(); }
    bool wants_apply() const { return store_.tables->wants_apply(); }
    bool tidy() { return store_.tables->tidy(); }
    const std::optional<Error>& apply_problem() const { return store_.tables->apply_problem(); }
    Result<LoadedLog> load(const std::string& user) { return reads_.load(user); }
    Result<sqlite::KeyFilter> operations(const std::string& user);
    Result<LogSlice> read_log(const std::string& user, Offset after, std::size_t bytes_max) {
        return reads_.log(user, after, bytes_max);
    }
    Status verify(const std::string& user) { return store_.tables->verify(user); }
    Result<std::vector<SearchHit>> search(const std::string& user, const std::string& query,
                                          std::size_t limit) {
        return reads_.search(user, query, limit);
    }

  private:
    explicit OneThreadStore(sqlite::OpenedStore store)
        : store_(std::move(store)), reads_(*store_.tables) {}
    static void give(std::vector<sqlite::PendingAppend> answered);
    // What a round of commits asks of the tables.
    void answer(const sqlite::CommitLog::Round& round);

    bool applying_ = false;
    sqlite::OpenedStore store_;
    sqlite::Reads reads_;
};

}  // namespace dyad::test
