// The log of a user in `sync_events`: the port of store/log.hpp on a connection of the driver.
//
// An append is one insert, whatever its number of events. What it must follow is looked at first
// where this process has not seen the log's end within the last second (KnownHeads): the unique
// indexes refuse an offset that is taken, but not one that is too far.
//
// Threads: one at a time, a driver thread's. Lifetime: of one question.
#pragma once

#include "store/log.hpp"
#include "store/mongo/bson/event_documents.hpp"
#include "store/mongo/shared.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dyad::mongo {

// A user's document in `dyad_heads`; all of it is as for a new log where there is none.
struct HeadDocument {
    LogHead projected;      // the state documents have everything up to it
    Offset first_kept = 1;  // the oldest event that has not expired
    Version forgotten = 0;  // the greatest version of the deleted contexts that are forgotten
    bool exists = false;
    bool has_oldest = false;  // `oldest`, by which retention finds the user
};

class UserLogs {
  public:
    UserLogs(Client& client, Shared& shared)
        : client_(client), shared_(shared), era_(shared.heads.era()) {}

    // Appends requests of one user, in their order, as one insert; an answer for each.
    std::vector<AppendResult> append(const std::string& user_id,
                                     std::span<const AppendRequest* const> requests);
    Result<LogSlice> read(const std::string& user_id, Offset after, std::size_t bytes_max);
    Result<std::optional<Offset>> find(const std::string& user_id, const OperationId& operation);
    Result<std::vector<Position>> heads(const std::vector<std::string>& user_ids);
    Result<LoadedLog> load(const std::string& user_id);

    // For those who derive from the log; what they answer may not be durable yet.
    Result<HeadDocument> head_document(const std::string& user_id);
    // Up to kWindow events from `from` on, up to about `bytes_max`, without a hole; and whether
    // there may be more.
    struct Window {
        EventBatch batch;
        bool more = false;
    };
    static constexpr Offset kWindow = 512;
    Result<Window> window(const std::string& user_id, Offset from, std::size_t bytes_max);

  private:
    struct Insert;

    LogHead first_head_of(const std::string& user_id) const {
        return first_head(user_id, shared_.seed);
    }
    Result<std::optional<LogSlice>> behind(const std::string& user_id, Offset after,
                                           std::size_t bytes_max);
    Result<LogHead> end_of(const std::string& user_id, std::optional<LogHead> from = {});
    Result<std::optional<LogHead>> last_between(const std::string& user_id, Offset from, Offset to);
    Result<bool> may_follow(const std::string& user_id, const EventBatch& batch);
    void failed(Insert& insert, const Written::Failure& failure);
    AppendResult repeated(const std::string& user_id, const EventBatch& batch, std::size_t event);
    Result<std::optional<LoadedLog>> try_load(const std::string& user_id);

    // What was read is durable; so is the end of the log that was seen.
    Status prove(const std::string& user_id, const LogHead& end);

    Client& client_;
    Shared& shared_;
    const std::uint64_t era_;
};

}  // namespace dyad::mongo
