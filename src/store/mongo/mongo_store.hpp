// A cell's store on a MongoDB database that many nodes share. Lifetime: the database may be stopped
// before or after; once it is, everything is refused. Threads: the cell's; `post` is called on any
// thread and runs what it is given on the cell's.
#pragma once

#include "store/documents.hpp"
#include "store/mongo/database.hpp"
#include "store/store.hpp"

#include <memory>

namespace dyad::mongo {

class MongoStore final : public Store, public Documents {
  public:
    template <class T>
    using Callback = Log::Callback<T>;

    MongoStore(std::shared_ptr<Database> database, driver::Caller::Post post);
    ~MongoStore() override;

    void load(const std::string& user_id, Callback<LoadedLog> done) override;
    void append(AppendRequest request, std::function<void(AppendResult)> done) override;
    void read(const std::string& user_id, Offset after, std::size_t bytes_max,
              Callback<LogSlice> done) override;
    void find(const std::string& user_id, OperationId operation,
              Callback<std::optional<Offset>> done) override;
    bool shared() const override { return true; }
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
    void save_clock(const ClockMark& mark) override { database_->save_clock(mark); }
    std::int64_t clock_offset_ms() const override { return database_->clock_offset_ms(); }
    StoreHealth health() const override { return database_->health(); }
    void project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) override;
    void adopted(const std::string& user_id, std::string transition_id, Offset offset,
                 Callback<Done> done) override;
    void look(std::vector<std::string> user_ids,
              Callback<std::vector<DocumentsLook>> done) override;

  private:
    // The ends of all these logs, where `positions` are those of the first ones.
    void heads_behind(std::vector<std::string> user_ids, std::vector<Position> positions,
                      Callback<std::vector<Position>> done);
    // Gives `done` what `question` answers on a driver thread.
    template <class T, class Question>
    void ask(Callback<T> done, Question question);
    // The same once what is derived of the user's log was brought up to its end.
    template <class T, class Question>
    void ask_derived(const std::string& user_id, Callback<T> done, Question question);

    std::shared_ptr<Database> database_;
    driver::CallerPtr cell_;
};

}  // namespace dyad::mongo
