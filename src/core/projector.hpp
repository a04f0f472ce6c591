// Keeps the documents that existing instances read in step with a user's log, and takes what they
// wrote into it (store/documents.hpp). Does nothing where nobody else writes the database.
//
// Who commits an event projects it; what a node that died left undone is found by a look of any
// other. A document that somebody wrote is adopted: it becomes an event of the instance `foreign`,
// by an operation id that is the same at every node, and only then may be written over.
//
//   a key      what is known                               leaves it
//   clean      its document has what the log has           an event: dirty
//   dirty      an event is newer                           projected: clean; in the way: adopting
//   adopting   a foreign document, on its way into the log in the log: dirty, and seen; refused for
//                                                          ever: left, until it is written again
#pragma once

#include "core/pending.hpp"
#include "model/change.hpp"
#include "store/documents.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace dyad::core {

class UserLog;

class Projector {
  public:
    explicit Projector(UserLog& user) : user_(user) {}

    // An event was folded; `own`: it was committed here.
    void changed(const Change& change, bool own);
    // Another log, or the same one anew, has taken the place of what was held.
    void loaded();
    // What a look at the documents has found.
    void take(const DocumentsLook& look);
    // Writes what is due. At the end of each turn.
    void flush();
    void tick(std::int64_t now_ms);
    std::int64_t next_ms() const noexcept { return retry_at_ms_; }
    bool idle() const noexcept {
        return !under_way_ && adopting_.empty() && transitions_.empty() &&
               !(wanted_ && !dirty_.empty());
    }

  private:
    bool is_on() const;
    void adopt(const ForeignDocument& document);
    void adopt(const ForeignTransition& transition);
    void submit(std::string operation_id, CommandBody body, ReplyFn done);
    void adopted(const std::string& key, Fingerprint fingerprint, const Answer& answer);
    ContextPtr forgotten(const std::string& key) const;
    void projected(const ProjectRequest& request,
                   const Result<std::vector<ForeignDocument>>& in_the_way);

    UserLog& user_;
    std::set<std::string> dirty_;
    std::map<std::string, Fingerprint> adopting_;
    std::set<std::string> transitions_;           // ids of those on their way into the log
    std::map<std::string, Fingerprint> seen_;     // in the log: may be written over
    std::map<std::string, Fingerprint> refused_;  // cannot be adopted: never written over
    bool wanted_ = false;                         // this node is to project what is dirty
    bool under_way_ = false;                      // a call to the store
    std::int64_t began_ms_ = 0;                   // the call that is or was the last one
    std::int64_t rest_until_ms_ = 0;
    std::int64_t retry_at_ms_ = INT64_MAX;
};

}  // namespace dyad::core
