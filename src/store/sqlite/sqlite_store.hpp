// A cell's store on the embedded database. Lifetime: the database may be stopped before or after;
// once it is, everything is refused. Threads: the cell's; `post` is called on any thread and runs
// what it is given on the cell's.
#pragma once

#include "store/sqlite/database.hpp"
#include "store/store.hpp"

#include <memory>
#include <vector>

namespace dyad::sqlite {

class SqliteStore final : public Store {
  public:
    SqliteStore(std::shared_ptr<Database> database, driver::Caller::Post post);
    ~SqliteStore() override;

    void load(const std::string& user_id, Callback<LoadedLog> done) override;
    void append(AppendRequest request, std::function<void(AppendResult)> done) override;
    void flush() override;
    void read(const std::string& user_id, Offset after, std::size_t bytes_max,
              Callback<LogSlice> done) override;
    void find(const std::string& user_id, OperationId operation,
              Callback<std::optional<Offset>> done) override;
    bool shared() const override { return database_->cells() > 1; }
    void heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) override;
    void history(const std::string& user_id, const std::string& key, PageRequest page,
                 Callback<std::vector<HistoryItem>> done) override;
    void read_version(const std::string& user_id, const std::string& key, Version version,
                      Callback<ContextPtr> done) override;
    void transitions(const std::string& user_id, std::optional<std::string> instance_id,
                     PageRequest page, Callback<std::vector<Transition>> done) override;
    void responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                   Callback<std::vector<ResponseRecord>> done) override;
    void search(const std::string& user_id, const std::string& query, std::size_t limit,
                Callback<std::vector<SearchHit>> done) override;
    void expire_events(std::int64_t before_ms, Callback<std::size_t> done) override;
    void users_with_expired(std::int64_t now_ms, std::size_t limit,
                            Callback<std::vector<std::string>> done) override;
    void load_clock(Callback<ClockMark> done) override;
    void save_clock(const ClockMark& mark) override;
    StoreHealth health() const override;
    void check(std::function<bool(Result<CheckReport>)> report) override;
    void copy(std::function<bool(Result<CheckReport>)> report) override;

  private:
    void look(std::function<bool(Result<CheckReport>)> report, Database::Look look);
    // Gives `done` what `question` answers on the tables thread.
    template <class T, class... Params, class... Args>
    void ask(Callback<T> done, Result<T> (Reads::*question)(Params...), Args... args);

    std::shared_ptr<Database> database_;
    driver::CallerPtr cell_;
    std::vector<PendingAppend> turn_;  // what was appended since the last flush
};

}  // namespace dyad::sqlite
