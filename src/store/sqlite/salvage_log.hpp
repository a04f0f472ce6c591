// One user's log on its way from a damaged store into a new one, event by event.
#pragma once

#include "model/damaged_batch.hpp"
#include "store/sqlite/projections.hpp"
#include "store/sqlite/salvage.hpp"
#include "store/sqlite/salvage_sources.hpp"

#include <map>
#include <set>

namespace dyad::sqlite {

class LogSalvage {
  public:
    LogSalvage(const UserSources& from, RawRows* rows, LogTables& log, Projections& projections,
               std::int64_t user, Epoch new_epoch, SalvagedUser& account)
        : from_(from),
          rows_(rows),
          log_(log),
          projections_(projections),
          user_(user),
          new_epoch_(new_epoch),
          account_(account) {}

    // Writes the log, up to `end` at least, and what follows from it. Errors: the connection's.
    Status run(Offset end);

    Offset first() const noexcept { return first_; }
    Offset last() const noexcept { return head_.offset; }
    // What is known of lost events: the hash of their scope, and the newest of them.
    const std::map<std::uint64_t, Offset>& lost_scopes() const noexcept { return lost_scopes_; }
    std::size_t lost_without_scope() const noexcept { return lost_without_scope_; }
    Offset first_lost() const noexcept { return first_lost_; }  // 0: none
    const std::set<std::string>& closed_conflicts() const noexcept { return closed_; }
    // The last event that ended a claim on each resource.
    const std::map<std::string, Offset>& ended_claims() const noexcept { return ended_claims_; }
    bool is_rechained() const noexcept { return rechained_; }

  private:
    Status segment(const SegmentPlace& place);
    Status up_to(Offset last, const std::string& why);
    Status from_journal_or_lost(Offset offset, const std::string& why, std::uint64_t scope);
    Status keep(const ProvedEvent& event);
    Status lose(Offset offset, const std::string& why, std::uint64_t scope);
    Status fill(Offset offset);
    Status keep_end(const StoredHead& log);
    Status append(const EventDraft& draft, Epoch epoch);
    Status flush();
    void account(Offset offset, bool kept, const std::string& why);
    std::optional<ProvedEvent> in_journal(Offset offset);

    const UserSources& from_;
    RawRows* rows_;
    LogTables& log_;
    Projections& projections_;
    std::int64_t user_;
    Epoch new_epoch_;
    SalvagedUser& account_;

    std::vector<Epoch> epochs_;
    LogHead head_;                  // of the new log
    std::optional<Hash> old_hash_;  // of the event before, in the damaged log
    EventBatch building_;
    Offset next_ = 1;
    Offset first_ = 1;  // of the new log
    bool begun_ = false;
    bool log_is_empty_ = true;
    bool rechained_ = false;
    std::map<std::uint64_t, Offset> lost_scopes_;
    std::size_t lost_without_scope_ = 0;
    Offset first_lost_ = 0;
    std::set<std::string> closed_;
    std::map<std::string, Offset> ended_claims_;
};

}  // namespace dyad::sqlite
