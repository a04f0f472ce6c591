// The doors of a store: what may be asked of a backend and what it may answer, as log.hpp,
// archive.hpp and documents.hpp say, checked at every call. A breach is a fault of ours and ends
// the process: what would come of it is a wrong answer, or a hole in a log.
//
// Lifetime: within that of what it stands before. Threads: the cell's.
#pragma once

#include "store/documents.hpp"
#include "store/store.hpp"

#include <string>
#include <vector>

namespace dyad {

class CheckedStore final : public Store {
  public:
    explicit CheckedStore(Store& store) : store_(store) {}

    void load(const std::string& user_id, Log::Callback<LoadedLog> done) override;
    void append(AppendRequest request, std::function<void(AppendResult)> done) override;
    void flush() override { store_.flush(); }
    void read(const std::string& user_id, Offset after, std::size_t bytes_max,
              Log::Callback<LogSlice> done) override;
    void find(const std::string& user_id, OperationId operation,
              Log::Callback<std::optional<Offset>> done) override;
    void heads(std::vector<std::string> user_ids,
               Log::Callback<std::vector<Position>> done) override;
    bool shared() const override { return store_.shared(); }

    void history(const std::string& user_id, const std::string& key, PageRequest page,
                 Archive::Callback<std::vector<HistoryItem>> done) override;
    void read_version(const std::string& user_id, const std::string& key, Version version,
                      Archive::Callback<ContextPtr> done) override;
    void transitions(const std::string& user_id, std::optional<std::string> instance_id,
                     PageRequest page, Archive::Callback<std::vector<Transition>> done) override;
    void responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                   Archive::Callback<std::vector<ResponseRecord>> done) override;
    void search(const std::string& user_id, const std::string& query, std::size_t limit,
                Archive::Callback<std::vector<SearchHit>> done) override;
    void expire_events(std::int64_t before_ms, Archive::Callback<std::size_t> done) override;
    void users_with_expired(std::int64_t now_ms, std::size_t limit,
                            Archive::Callback<std::vector<std::string>> done) override;
    void load_clock(Archive::Callback<ClockMark> done) override;
    void save_clock(const ClockMark& mark) override { store_.save_clock(mark); }
    std::int64_t clock_offset_ms() const override { return store_.clock_offset_ms(); }
    StoreHealth health() const override { return store_.health(); }
    void check(std::function<bool(Result<CheckReport>)> report) override;
    void copy(std::function<bool(Result<CheckReport>)> report) override;

  private:
    Store& store_;
};

class CheckedDocuments final : public Documents {
  public:
    explicit CheckedDocuments(Documents& documents) : documents_(documents) {}

    void project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) override;
    void adopted(const std::string& user_id, std::string transition_id, Offset offset,
                 Callback<Done> done) override;
    void look(std::vector<std::string> user_ids,
              Callback<std::vector<DocumentsLook>> done) override;

  private:
    Documents& documents_;
};

}  // namespace dyad
