// The reads of the embedded store: of the tables, and of what is committed and not in them yet.
// None costs more than what it gives, and none waits for anything to be applied.
//
// Errors: the connection's; storage_damaged; those named in store.hpp.
// Threads: that of the tables. Also between two pieces of an apply.
#pragma once

#include "store/sqlite/tables.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dyad::sqlite {

class Reads {
  public:
    explicit Reads(Tables& tables) : tables_(tables), db_(*tables.db_) {}

    Result<LoadedLog> load(const std::string& user_id);
    Result<LogSlice> log(const std::string& user_id, Offset after, std::size_t bytes_max);
    Result<std::optional<Offset>> find(const std::string& user_id, const OperationId& operation) {
        return tables_.find_operation(user_id, operation);
    }
    Result<std::vector<Position>> heads(const std::vector<std::string>& user_ids);

    Result<std::vector<HistoryItem>> history(const std::string& user_id, const std::string& key,
                                             PageRequest page);
    Result<ContextPtr> version(const std::string& user_id, const std::string& key, Version version);
    Result<std::vector<Transition>> transitions(const std::string& user_id,
                                                const std::optional<std::string>& instance_id,
                                                PageRequest page);
    Result<std::vector<ResponseRecord>> responses(const std::string& user_id,
                                                  const ResponseFilter& filter, PageRequest page);
    Result<std::vector<SearchHit>> search(const std::string& user_id, const std::string& query,
                                          std::size_t limit);

    Result<std::vector<std::string>> users_with_expired(std::int64_t now_ms, std::size_t limit);
    Result<std::vector<std::string>> users();
    Result<ClockMark> load_clock();
    void save_clock(const ClockMark& mark);  // where it cannot be kept, the older one stays

  private:
    // The newest `skip` changes of the key are passed over without a look at what they are.
    Result<std::vector<HistoryItem>> history_after(UserLog& log, const std::string& key,
                                                   PageRequest page, std::size_t skip);
    Status stored_history(const UserLog& log, const std::string& key, const PageRequest& page,
                          std::size_t skip, std::vector<HistoryItem>& items);
    Result<ContextPtr> current(UserLog& log, const std::string& key);
    Result<ContextPtr> past_version(UserLog& log, const std::string& key, const Context& current,
                                    Version version);
    Result<LogSlice> whole_slice(const UserLog& log, Offset after, LogSlice slice) const;
    Status add_unapplied_with_expired(std::int64_t now_ms, std::vector<std::string>& users);
    Result<bool> has_expired(const std::string& user_id, std::int64_t now_ms);
    // The contexts that the search index does not know as they are, by key.
    using Contexts = std::map<std::string, ContextPtr, std::less<>>;
    Result<Contexts> not_indexed(UserLog& log);

    Tables& tables_;
    Connection& db_;
};

}  // namespace dyad::sqlite
