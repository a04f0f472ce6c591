// What is stored of each user, read row by row from a database that nobody uses, and written into a
// new one: for backup, restore and migrate.
//
// Threads: one owner; blocking. Errors: the connection's; storage_damaged.
#pragma once

#include "base/clock.hpp"
#include "store/sqlite/event_index.hpp"
#include "store/sqlite/projections.hpp"
#include "store/sqlite/untouched.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

class Tables;

// What stays known of the operations of one instance whose events expired (ExpiredOperations).
struct ExpiredKeys {
    std::uint64_t instance = 0;  // hash64 of its id
    Offset last = 0;
    std::string_view keys;  // 8 bytes each
};

class MemoryReader {
  public:
    // A folder that is whole, as a start would open it; no byte of it changes.
    // Requires: its lock is held.
    static Result<std::unique_ptr<MemoryReader>> open(const std::string& folder, Random& random);
    // The copy that a running server made (database_copy.hpp).
    static Result<std::unique_ptr<MemoryReader>> open_copy(const std::string& folder);
    ~MemoryReader();

    Result<std::uint64_t> epoch_seed();
    Result<std::vector<std::string>> users() { return log().users(); }  // sorted
    Result<StoredHead> head(const std::string& user);
    Result<State> state(std::int64_t user);
    Status transitions(std::int64_t user,
                       const std::function<Status(Offset, std::string_view json)>& take);
    Status responses(std::int64_t user,
                     const std::function<Status(Offset, std::string_view json)>& take);
    Status expired(std::int64_t user, const std::function<Status(const ExpiredKeys&)>& take);
    // Every event, in order, whole batches: each was held against the chain and the head.
    Status events(const StoredHead& log, const std::function<Status(const EventBatch&)>& take);

  private:
    MemoryReader() = default;
    LogTables log() { return {*db_, SegmentLimits{}}; }

    std::unique_ptr<UntouchedVfs> disk_;
    std::unique_ptr<Tables> tables_;
    std::unique_ptr<Connection> copy_;
    Connection* db_ = nullptr;
};

class MemoryWriter {
  public:
    // A new store in an empty folder, whose lock is held; its epochs are of this seed.
    static Result<std::unique_ptr<MemoryWriter>> make(const std::string& folder,
                                                      std::uint64_t epoch_seed, Random& random);

    // All that follows, up to finish(), is of this user, in one transaction.
    Status user(const std::string& name, const std::function<Status()>& write);
    // First what is older than the events; they bring it up to date.
    Status context(const Context& context);
    Status mode(const std::string& instance, std::string_view json);
    Status conflict(const std::string& id, std::string_view json);
    Status claim(Offset offset, std::string_view json);
    Status transition(Offset offset, const std::string& instance, std::string_view json);
    Status response(const ResponseRecord& record);
    Status expired(const ExpiredKeys& keys);
    // The context as it is now.
    Result<std::optional<Context>> find(const std::string& key);
    Status events(EventBatchPtr batch);
    // `head`: the log's end; `first_kept`: head.offset + 1 where there are no events.
    Status finish(const LogHead& head, Offset first_kept, Version forgotten);

  private:
    explicit MemoryWriter(std::unique_ptr<Connection> to)
        : db_(std::move(to)),
          log_(*db_, SegmentLimits{}),
          index_(*db_, log_, IndexLimits{}),
          projections_(*db_) {}

    std::unique_ptr<Connection> db_;
    LogTables log_;
    EventIndex index_;
    Projections projections_;
    std::int64_t user_ = 0;
};

}  // namespace dyad::sqlite
