// The port to the documents beside the log: where a database is shared with existing instances,
// they read contexts from documents of their own form, and write them, without a word in the log.
//
// What is in the log is written there ("projected"), so that they see it; what they wrote there is
// found and taken into the log ("adopted") before anything is written over it. What to write is the
// heart's to say; that nothing is overwritten unseen is the store's:
//
// The law every backend keeps:
// - `project` writes a context only where the document is as the log made it, by an older event, or
//   is the one that the request names as seen. Every other document it leaves, and names.
// - A document has a fingerprint: another one whenever somebody has written it since, even if he
//   wrote the same; and the same for everybody who asks.
//
// Threads and callbacks: as those of the log, store/log.hpp.
#pragma once

#include "base/result.hpp"
#include "model/context.hpp"
#include "model/event.hpp"
#include "model/mode.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dyad {

using Fingerprint = std::uint64_t;

// A document that is not what the log made of it.
struct ForeignDocument {
    std::string user_id;
    ContextPtr context;  // as it stands, with its writer's version and times; its offset is 0
    Fingerprint fingerprint = 0;
};

struct ProjectRequest {
    struct Entry {
        ContextPtr context;               // as of its own event, deleted ones too
        std::optional<Fingerprint> seen;  // of the foreign document that it may take the place of
    };
    std::string user_id;
    Offset end = 0;  // the entries have everything that changed up to this event
    std::vector<Entry> entries;
};

// A change of its mode that an existing instance wrote down itself; nobody changes it later.
struct ForeignTransition {
    std::string id;  // the store's own name for it
    ModeState state;
};

// What stands beside one user's log.
struct DocumentsLook {
    std::string user_id;
    Offset projected = 0;  // everything up to this event was written, here or by others
    std::vector<ForeignDocument> foreign;
    std::vector<ForeignTransition> transitions;  // not adopted yet; the oldest ones, in their order
};

class Documents {
  public:
    template <class T>
    using Callback = std::function<void(Result<T>)>;

    virtual ~Documents() = default;

    // Answers with the documents that were in the way: they are as they were.
    virtual void project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) = 0;
    // The transition has become the event at `offset` (0: one that has expired): no look that comes
    // after the answer has it.
    virtual void adopted(const std::string& user_id, std::string transition_id, Offset offset,
                         Callback<Done> done) = 0;
    // For each of these users, in their order.
    virtual void look(std::vector<std::string> user_ids,
                      Callback<std::vector<DocumentsLook>> done) = 0;
};

}  // namespace dyad
