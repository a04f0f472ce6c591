// The port of store/documents.hpp on the collections of existing instances, by a connection of the
// driver: contexts in `distributed_context`, and the transitions that others write.
//
// A context is written by compare-and-set, and inserted where no document stands; the unique index
// (userId, contextKey) decides who is first. Where this process wrote the document last, its place
// and moments are all that is compared (KnownDocuments), and nothing is read; every other document
// is read and compared as a whole. A deleted context has no document: existing instances know no
// other way to say so. Since then nothing stands in the way of a node that is late with what was
// before, whoever inserts a document looks into the log for what is newer afterwards.
//
// Existing instances set updatedAt and metadata.version with every write. Who changes a document of
// ours by hand and leaves both as they were is found only where it is read as a whole.
//
// Indexes, beside those of wire.md 1.4 and the log's (userId, scope, offset):
//
//   mode_transitions      (userId, dyad.offset) unique, where dyad.offset is: archive_reads.hpp
//                         (userId, dyad.check): those that have none are foreign
//   ai_response_sources   (userId, dyad.offset), where dyad.offset is: archive_reads.hpp
//
// Errors: the client's.
// Threads: one at a time, a driver thread's; KnownDocuments any.
#pragma once

#include "base/mutex.hpp"
#include "model/mode.hpp"
#include "store/documents.hpp"
#include "store/mongo/client.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dyad::mongo {

// What this process wrote last to the documents of contexts, as far as it has room; and where a
// look at too many documents goes on.
class KnownDocuments {
  public:
    struct Known {
        Offset offset = 0;
        std::int64_t check = 0;
        std::int64_t updated_at_ms = 0;
        Version version = 0;
    };

    KnownDocuments() : slots_(kSlots) {}

    std::optional<Known> find(const std::string& user_id, const std::string& key) const
        EXCLUDES(mutex_);
    void wrote(const std::string& user_id, const std::string& key, const Known& known)
        EXCLUDES(mutex_);
    void forget(const std::string& user_id, const std::string& key) EXCLUDES(mutex_);

    // The key behind which the next look at this user's documents begins; empty: at the first.
    std::string look_after(const std::string& user_id) const EXCLUDES(mutex_);
    void looked_up_to(const std::string& user_id, std::string key) EXCLUDES(mutex_);

  private:
    static constexpr std::size_t kSlots = 16384;
    static constexpr std::size_t kLooksMax = 1024;
    struct Slot {
        std::uint64_t name = 0;  // hash64 of user and key; 0: empty
        Known known;
    };

    mutable Mutex mutex_;
    std::vector<Slot> slots_ GUARDED_BY(mutex_);
    std::map<std::string, std::string> looks_ GUARDED_BY(mutex_);
};

Result<std::vector<ForeignDocument>> project(Client& client, KnownDocuments& known,
                                             const ProjectRequest& request);
// Of each user as many foreign documents as fit into about page_bytes_max, the next ones with the
// next look.
Result<std::vector<DocumentsLook>> look(Client& client, KnownDocuments& known,
                                        std::span<const std::string> user_ids);

// The oldest ones that no event was made of. What cannot be read as one is left out, with a line in
// the log.
Result<std::vector<ForeignTransition>> foreign_transitions(Client& client,
                                                           const std::string& user_id,
                                                           std::int64_t limit);
// It has become the event at `offset`: the projection writes its own document in its place; where
// that is there already, theirs goes.
Status mark_adopted(Client& client, const std::string& transition_id, Offset offset);

}  // namespace dyad::mongo
